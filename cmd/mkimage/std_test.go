package main

import (
	_ "embed"
	"strings"
	"testing"
)

// stdList names the packages of Go's library whose tests are to pass in an
// image: one a line, with "long" behind those that take too long for every
// change.
//
//go:embed testdata/std.txt
var stdList string

// TestStd boots Go's own tests, one package after the other: some of them
// measure time, on a machine that may have no more than two processors.
func TestStd(t *testing.T) {
	for line := range strings.Lines(stdList) {
		pkg, mark, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pkg == "" || pkg == "#" || mark == "long" {
			continue
		}
		t.Run(pkg, func(t *testing.T) {
			c := call{dir: t.TempDir()}
			memory := "1G"
			if pkg == "runtime" {
				memory = "3G" // TestScavengeIndex takes 257 MiB thirty times: on a busy host three and more are there before a collection has ended
			}
			c.mkimage(t, "test", "--jobs", "1", "--cpus", "2", "--memory", memory, pkg, "--", "-short")
			c.want(t, 0, "\t"+strings.TrimSuffix(pkg, "/..."))
		})
	}
}

// TestSignalsOfProcess boots os/signal's tests as four of them would start them as processes: with flags that let them do what may end the process.
func TestSignalsOfProcess(t *testing.T) {
	run := func(test string, args ...string) call {
		c := call{dir: t.TempDir()}
		c.mkimage(t, append([]string{"test", "--no-skips", "--env", "GO_TEST_ATOMIC_STOP=1", "os/signal", "--", "-v", "-run", "^" + test + "$", "-args"}, args...)...)
		return c
	}
	c := run("TestNotifyContextNotifications", "-check_notify_ctx", "-ctx_notify_times=10")
	c.want(t, 0, "received SIGINT")
	c = run("TestDetectNohup", "-check_sighup_ignored")
	c.want(t, 1, "SIGHUP is not ignored.")
	for _, i := range []string{"1", "2"} { // before anybody listens for it, and after
		c = run("TestStop", "-send_uncaught_sighup="+i, "-die_from_sighup")
		c.want(t, 1, "=== RUN   TestStop/hangup")
		if strings.Contains(c.stdout, "--- ") {
			t.Errorf("SIGHUP did not end it:\n%s", c.stdout)
		}
	}
	c = run("TestAtomicStop", "-test.paniconexit0=false")
	if c.want(t, c.code, "=== RUN   TestAtomicStop"); strings.Contains(c.stdout, "lost signal") || strings.Contains(c.stdout, "--- ") { // the signal is caught, or ends it
		t.Errorf("exit code %d:\n%s", c.code, c.stdout)
	}
}
