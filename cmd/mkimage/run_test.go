package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

func TestRunHello(t *testing.T) {
	c := call{dir: root(t)}
	c.mkimage(t, "run", "./samples/hello")
	c.want(t, 0)
	if !strings.HasPrefix(c.stdout, "hello from go1.") || !strings.HasSuffix(c.stdout, " on 1 CPU(s)\n") {
		t.Errorf("console: %q", c.stdout)
	}
}

func TestRunMachines(t *testing.T) {
	for _, machine := range []string{"microvm", "q35", "pc"} {
		c := call{dir: root(t)}
		c.mkimage(t, "run", "--machine", machine, "--cpus", "4", "--memory", "64M", "./samples/hello")
		c.want(t, 0, "on 4 CPU(s)")
	}
}

const tellAll = `fmt.Printf("%q %q\n", os.Args, os.Environ())`

func TestRunArgumentsAndEnvironment(t *testing.T) {
	c := call{dir: app(t, program("fmt os", tellAll))}
	c.mkimage(t, "run", "--env", "A=1", "--env", `B=x "y" \z`, "--env", "A=2", ".", "--", "a b", "", `q"\`, "-v", "é")
	c.want(t, 0, `["app" "a b" "" "q\"\\" "-v" "é"]`, `"A=2"`, `"B=x \"y\" \\z"`)
	if strings.Contains(c.stdout, "A=1") {
		t.Error("an earlier value of a variable is there")
	}
}

// TestHome: root's folder is what /etc/passwd says, until somebody wants another one.
func TestHome(t *testing.T) {
	dir := tree(t, map[string]string{
		"go.mod":    "module example.com/app\n\ngo 1.26\n",
		"main.go":   program("fmt os os/user", `home, err := os.UserHomeDir(); _, there := os.Stat(home); u, who := user.Current(); fmt.Println(home, err, there, u.HomeDir, who)`),
		"x_test.go": "package main\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestX(t *testing.T) { t.Log(os.UserHomeDir()) }\n",
	})
	c := call{dir: dir}
	c.mkimage(t, "run", ".")
	c.want(t, 0, "/root <nil> <nil> /root <nil>\n")
	c.mkimage(t, "run", "--env", "HOME=/tmp", ".")
	c.want(t, 0, "/tmp <nil> <nil> /root <nil>\n")
	c.mkimage(t, "test", "-v", ".", "--", "-v")
	c.want(t, 0, "/root <nil>")
	c.mkimage(t, "build", "-o", "a.elf", "--env", "HOME=/etc", ".")
	c.want(t, 0)
	c.mkimage(t, "run", "a.elf")
	c.want(t, 0, "/etc <nil> <nil> /root <nil>\n")
	c.mkimage(t, "run", "--env", "HOME=/tmp", "a.elf")
	c.want(t, 0, "/tmp <nil> <nil> /root <nil>\n")
}

// TestOneUser: what programs do that were started as root, and what they ask, is answered as Linux would answer root.
func TestOneUser(t *testing.T) {
	c := call{dir: app(t, program("fmt syscall", `
	fmt.Println(syscall.Setuid(0), syscall.Setgid(0), syscall.Setgroups(nil), syscall.Setreuid(-1, 0), syscall.Setuid(1000))
	_, _, e := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, syscall.PR_SET_KEEPCAPS, 1, 0)
	keep, _, e2 := syscall.Syscall(syscall.SYS_PRCTL, syscall.PR_GET_KEEPCAPS, 0, 0)
	fmt.Println(e == 0, keep, e2 == 0)`))}
	c.mkimage(t, "run", "--cpus", "2")
	c.want(t, 0, "<nil> <nil> <nil> <nil> invalid argument\ntrue 1 true\n")
}

func TestRunLongArguments(t *testing.T) {
	c := call{dir: app(t, program("fmt os", "fmt.Println(len(os.Args), len(os.Args[1]))"))}
	c.mkimage(t, "run", ".", "--", strings.Repeat("x", 20000), "y")
	c.want(t, 0, "3 20000\n")
}

func TestConfigFile(t *testing.T) {
	dir := tree(t, map[string]string{
		"go.mod":     "module example.com/app\n\ngo 1.26\n",
		"main.go":    program("fmt os runtime", tellAll+"; fmt.Println(runtime.NumCPU(), tagged)"),
		"tag.go":     "//go:build special\n\npackage main\n\nconst tagged = true\n",
		"libos.toml": "args = [\"from file\"]\ncpus = 2\n[env]\nA = \"file\"\nB = \"file\"\n[build]\ntags = \"special\"\n",
	})
	c := call{dir: dir}
	c.mkimage(t, "run")
	c.want(t, 0, `["app" "from file"]`, `"A=file"`, "2 true\n")
	c.mkimage(t, "run", "--cpus", "3", "--env", "A=flag", ".", "--", "from line")
	c.want(t, 0, `["app" "from line"]`, `"A=flag"`, `"B=file"`, "3 true\n")
	c.mkimage(t, "run", ".", "--")
	c.want(t, 0, `["app"]`)
}

func TestRunImage(t *testing.T) {
	c := call{dir: app(t, program("fmt os runtime", tellAll+"; fmt.Println(runtime.NumCPU())"))}
	c.mkimage(t, "build", "-o", "a.elf", "--cpus", "2", "--env", "A=built", "--env", "B=built", ".", "--", "built", "in")
	c.want(t, 0)
	c.mkimage(t, "run", "a.elf")
	c.want(t, 0, `["app" "built" "in"]`, `"A=built"`, "2\n")
	c.mkimage(t, "run", "--cpus", "1", "--env", "A=run", "a.elf", "--", "x y")
	c.want(t, 0, `["app" "x y"]`, `"A=run"`, `"B=built"`, "1\n")
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"--vm", "bump", "-tags=x", "a.elf"}, "a.elf is built already: --vm, -tags can be said only to mkimage build"},
		{[]string{"a.elf", "--"}, "not taken away"},
		{[]string{"--memory", "1M", "a.elf"}, "larger than the memory"},
		{[]string{"a.elf", "--", strings.Repeat("x", 20000)}, "too long for the command line of a built image"},
		{[]string{testBinary(t)}, "not one that mkimage built"},
	} {
		c.mkimage(t, append([]string{"run"}, x.args...)...)
		c.want(t, 1, x.want)
	}
}

// testBinary is an ELF file that is no image.
func testBinary(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs an ELF file: this system's programs are not")
	}
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestExitCodes(t *testing.T) {
	for _, x := range []struct {
		body string
		code int
		text string
	}{
		{"os.Exit(42)", 42, ""},
		{"println(len(os.Args)); panic(\"boom\")", 2, "panic: boom"},
		{"var p *int; *p = len(os.Args)", 2, "nil pointer dereference"},
		{"select {case <-(chan int)(nil): os.Exit(1)}", 2, "all goroutines are asleep - deadlock!"},
	} {
		c := call{dir: app(t, program("os", x.body))}
		c.mkimage(t, "run")
		c.want(t, x.code, x.text)
	}
}

// TestStdin reads to the end what comes from a pipe and from files, and says
// what it was. Every byte arrives, those that mean something to a terminal too.
func TestStdin(t *testing.T) {
	var every []byte
	for a := range 256 {
		for b := range 256 {
			every = append(every, byte(a), byte(b)) // each byte after each other
		}
	}
	c := call{dir: app(t, program("crypto/sha256 fmt io os", `b, err := io.ReadAll(os.Stdin); fmt.Printf("%d %x %v\n", len(b), sha256.Sum256(b), err)`))}
	for _, in := range []string{"", "one\ntwo\r\nthree", "\x04", "\x16", "a\x16\x04\r", string(every)} {
		want := fmt.Sprintf("%d %x <nil>\n", len(in), sha256.Sum256([]byte(in)))
		c.stdin = in
		c.mkimage(t, "run")
		c.want(t, 0, want)

		c.stdinFile = filepath.Join(tree(t, map[string]string{"in": in}), "in")
		c.mkimage(t, "run")
		c.want(t, 0, want)
		c.stdinFile = ""
	}
}

// TestStdinOfTests shows that tests have no input, and are told so.
func TestStdinOfTests(t *testing.T) {
	c := call{dir: tree(t, map[string]string{
		"go.mod":    "module example.com/m\n\ngo 1.21\n",
		"x_test.go": "package x\n\nimport (\n\t\"io\"\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestX(t *testing.T) { b, err := io.ReadAll(os.Stdin); t.Logf(\"%q %v\", b, err) }\n",
	}), stdin: "not for tests"}
	c.mkimage(t, "test", ".", "--", "-v", "-timeout", "2m")
	c.want(t, 0, `"" <nil>`)
}

// runTimeout bounds what running starts: a machine that does not stop is an error.
const runTimeout = 3 * time.Minute

// running starts mkimage run and waits for the program's first line.
func running(t *testing.T, dir string, args ...string) (stdout *bufio.Reader, signal func(os.Signal), wait func() int) {
	t.Helper()
	c := call{dir: dir}
	return watched(t, c.command(t, append([]string{"run"}, args...)...))
}

// watched starts a command and waits for the line "ready".
func watched(t *testing.T, cmd *exec.Cmd) (stdout *bufio.Reader, signal func(os.Signal), wait func() int) {
	t.Helper()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := child.Start(cmd); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(runTimeout, func() { cmd.Process.Kill() })
	t.Cleanup(func() { timer.Stop() })
	stdout = bufio.NewReader(pipe)
	if line, err := stdout.ReadString('\n'); line != "ready\n" {
		t.Fatalf("first line %q, %v", line, err)
	}
	return stdout, func(s os.Signal) {
			t.Helper()
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}, func() int {
			cmd.Wait()
			return cmd.ProcessState.ExitCode()
		}
}

const stopper = `
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	fmt.Println("got", <-c)
	if len(os.Args) > 1 {
		select {}
	}
	os.Exit(7)`

func TestCleanStop(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send a process Ctrl-C")
	}
	dir := app(t, program("fmt os os/signal syscall", stopper))
	for _, machine := range []string{"microvm", "q35", "pc"} {
		for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			out, signal, wait := running(t, dir, "--machine", machine)
			signal(sig)
			rest, _ := io.ReadAll(out)
			if code := wait(); code != 7 || string(rest) != "got terminated\n" {
				t.Errorf("%s, %v: exit code %d, console %q", machine, sig, code, rest)
			}
		}
	}
}

// TestStopByTimeout has timeout(1) end a run: it signals mkimage, and then the
// group that mkimage is in. That is one wish, whichever signal it is.
func TestStopByTimeout(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no timeout(1)")
	}
	dir := app(t, program("fmt os os/signal syscall", stopper))
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		timeout := exec.CommandContext(t.Context(), "timeout", "100", tool, "run")
		timeout.Dir = dir
		out, signal, wait := watched(t, timeout) // a signal to timeout does what the end of its time does
		signal(sig)
		rest, _ := io.ReadAll(out)
		if code := wait(); code != 7 || string(rest) != "got terminated\n" {
			t.Errorf("%v: exit code %d, console %q", sig, code, rest)
		}
	}
}

// TestRepeatedSIGTERM shows that only the keyboard is impatient.
func TestRepeatedSIGTERM(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM")
	}
	slow := strings.Replace(stopper, "os.Exit(7)", "time.Sleep(time.Second); os.Exit(7)", 1)
	_, signal, wait := running(t, app(t, program("fmt os os/signal syscall time", slow)))
	for range 3 {
		signal(syscall.SIGTERM)
		time.Sleep(250 * time.Millisecond) // not the same wish
	}
	if code := wait(); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
}

func TestSecondStopKills(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send a process Ctrl-C")
	}
	out, signal, wait := running(t, app(t, program("fmt os os/signal syscall", stopper)), ".", "--", "stay")
	signal(os.Interrupt)
	if line, err := out.ReadString('\n'); line != "got terminated\n" {
		t.Errorf("%q, %v", line, err)
	}
	time.Sleep(300 * time.Millisecond) // from when mkimage has seen the first one: not the same wish
	signal(os.Interrupt)
	if code := wait(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
}

func TestTraceCalls(t *testing.T) {
	c := call{dir: app(t, program("os syscall", `os.Stdout.WriteString("x\n"); syscall.Mount("a", "b", "c", 0, ""); os.StartProcess("/x", nil, new(os.ProcAttr))`))}
	c.mkimage(t, "run", "--trace-calls")
	c.want(t, 0, "call write", "x\n")
	c.mkimage(t, "run", "--missing-calls")
	c.want(t, 0, "missing mount", "missing execve") // each by its name
	if strings.Contains(c.stderr, "call write") {
		t.Error("--missing-calls shows other calls")
	}
}

func TestVerbose(t *testing.T) {
	c := call{dir: root(t)}
	c.mkimage(t, "run", "-v", "./samples/hello")
	c.want(t, 0, " build ", "-overlay=", "qemu-system-x86_64", "-kernel ")
}

func TestLooseFiles(t *testing.T) {
	dir := tree(t, map[string]string{"a.go": program("", "println(text)"), "b.go": "package main\n\nconst text = \"loose\"\n"})
	c := call{dir: dir}
	c.mkimage(t, "run", "a.go", "b.go")
	c.want(t, 0, "loose\n")
	c.dir = root(t)
	c.mkimage(t, "run", filepath.Join(dir, "a.go"), filepath.Join(dir, "b.go"))
	c.want(t, 0, "loose\n")
}

// TestCallsOfItsOwn shows that a program which makes system calls itself gets
// the module for them, and others do not.
func TestCallsOfItsOwn(t *testing.T) {
	const linux = "libos/posix/linux"
	dir := app(t, program("fmt syscall", `fd, err := syscall.EpollCreate1(0); fmt.Println(fd > 2, err)`))
	c := call{dir: dir}
	c.mkimage(t, "run", "-o", "x.elf")
	c.want(t, 0, "true <nil>")
	c.mkimage(t, "inspect", "x.elf")
	c.want(t, 0, linux)

	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte(program("fmt syscall", `fmt.Println(syscall.Errno(2), syscall.SIGTERM)`)), 0o666); err != nil {
		t.Fatal(err)
	}
	c.mkimage(t, "run", "-o", "x.elf")
	c.want(t, 0, "no such file or directory terminated")
	c.mkimage(t, "inspect", "x.elf")
	c.want(t, 0)
	if strings.Contains(c.stdout, linux) {
		t.Error("a program that makes no calls has the module for them")
	}
}
