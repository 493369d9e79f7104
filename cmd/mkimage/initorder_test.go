package main

import (
	"path/filepath"
	"testing"
)

// earlyPackage is ready to be initialized before most of the libOS, and first by its path.
const earlyPackage = `package a

import (
	"io"
	"net"
	"os"
	"time"
)

var (
	_      = fail()
	page   = read("/srv/www/index.html")
	hosts  = read("/etc/hosts")
	volume = read("/data/f")
	zone   = must(time.LoadLocation("Europe/Berlin"))
	wd     = must(os.Getwd())
	input  = string(must(io.ReadAll(os.Stdin)))
	said   = dial()
)

func fail() int {
	switch os.Getenv("FAIL") {
	case "panic":
		panic("before main")
	case "wait":
		select {}
	case "read":
		read("/srv/none")
	}
	return 0
}

func init() {
	f := must(os.OpenFile("/data/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644))
	must(f.WriteString("started\n"))
	if err := os.WriteFile("/tmp/x", []byte("x"), 0o644); err != nil {
		panic(err)
	}
}

func dial() string {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() {
		c := must(l.Accept())
		c.Write([]byte("served"))
		c.Close()
	}()
	return string(must(io.ReadAll(must(net.Dial("tcp", l.Addr().String())))))
}

func read(name string) string { return string(must(os.ReadFile(name))) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func Say() { println(page, hosts, zone.String(), wd, volume, input, said, read("/data/log"), read("/tmp/x")) }
`

// TestPackagesAfterLibOS: a package of the program finds files of the image, of a volume and in memory, its current folder, time zones, standard input and sockets while it is initialized, as on Linux, though
// the libOS's packages come later by their path. A panic and a deadlock there are told with their line.
func TestPackagesAfterLibOS(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "module a.a/app\n\ngo 1.26\n", "a/a.go": earlyPackage, "www/index.html": "<html>\n",
		"main.go": "package main\n\nimport \"a.a/app/a\"\n\nfunc main() { a.Say() }\n"})
	disk := filepath.Join(t.TempDir(), "d.img")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "8M", disk)
	c.want(t, 0)
	c.stdin = "on the disk"
	c.mkimage(t, "fs", "cp", "-", disk+":/f")
	c.want(t, 0)
	run := func(fail string, args ...string) {
		c = call{dir: dir, stdin: "typed"}
		c.mkimage(t, append(append([]string{"run", "--net", "none", "--files", "www:/srv/www", "--env", "PWD=/srv", "--env", "FAIL=" + fail}, args...), ".")...)
	}
	run("", "--disk", disk+":/data")
	c.want(t, 0, "<html>\n 127.0.0.1", " Europe/Berlin /srv on the disk typed served started\n x\n")
	run("panic")
	c.want(t, 2, "panic: before main\n\ngoroutine 1 [running]:\na.a/app/a.fail(", filepath.Join(dir, "a", "a.go")+":24")
	run("read")
	c.want(t, 2, "panic: open /srv/none: no such file or directory", "a.a/app/a.read(", "a.go:")
	run("wait")
	c.want(t, 2, "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select (no cases)", "a.go:26 +0x")
}
