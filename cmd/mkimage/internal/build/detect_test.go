package build

import "testing"

func TestGoCall(t *testing.T) {
	for src, want := range map[string]bool{
		`import "syscall"; func f() { x, _, e := syscall.Syscall(1, 2, 3, 4) }`:          true,
		`import "syscall"; func f() { syscall.RawSyscall6(n, 0, 0, 0, 0, 0, 0) }`:        true,
		`import "syscall"; func f() { fd, err := syscall.EpollCreate1(0) }`:              true,
		`import sys "syscall"; func f() { (sys.EpollCreate1)(0) }`:                       true,
		`import . "syscall"; func f() { EpollCreate1(0) }`:                               true,
		`import "syscall"; func f() { signal.Notify(c, syscall.SIGTERM) }`:               false,
		`import "syscall"; func f() { var e syscall.Errno; e = syscall.Errno(3) }`:       false,
		`import "syscall"; func f() { syscall.Kill(syscall.Getpid(), syscall.SIGUSR1) }`: false,
		`import "my/syscall"; func f() { syscall.Do() }`:                                 false,
		`import "syscall"; func f() { /* syscall.EpollCreate1(0) */ }`:                   false,
	} {
		if got := goCall([]byte("package p; " + src)); got != want {
			t.Errorf("%s: %v", src, got)
		}
	}
}

// TestNames: what a file calls the packages that it imports does not matter.
func TestNames(t *testing.T) {
	for src, want := range map[string][2]bool{ // paths, sockets
		`import "os"; func f() { os.Open("x") }`:                                   {true, false},
		`import "os"; var open = os.Open`:                                          {true, false},
		`import system "os"; func f() { system.ReadFile("x") }`:                    {true, false},
		`import . "os"; func f() { Getwd() }`:                                      {true, false},
		`import "os"; func f() { os.Exit(1) }`:                                     {false, false},
		`import "os"; var s = "os.Open"`:                                           {false, false},
		`import "my/os"; func f() { os.Open("x") }`:                                {false, false},
		`import t "text/template"; func f() { t.Must(t.New("").ParseFiles("x")) }`: {true, false},
		`import u "os/user"; func f() { u.LookupGroupId("0") }`:                    {true, false},
		`import x "golang.org/x/sys/unix"; func f() { x.Socketpair(0, 0, 0) }`:     {false, true},
		`import s "syscall"; func f() { s.Socket(0, 0, 0); s.Open("x", 0, 0) }`:    {true, true},
		`import "golang.org/x/sys/unix"; func f() { unix.Close(0) }`:               {false, false},
		`import "os"; func f() { os.Open("x"`:                                      {true, false}, // as far as it parses
		`this is no Go`:                                                            {false, false},
	} {
		if got := [2]bool{namesPaths([]byte("package p; " + src)), opensSockets([]byte("package p; " + src))}; got != want {
			t.Errorf("%s: %v", src, got)
		}
	}
}

func TestAsmCall(t *testing.T) {
	for src, want := range map[string]bool{
		"TEXT ·f(SB),4,$0\n\tMOVQ $1, AX\n\tSYSCALL\n\tRET\n": true,
		"again:\tSYSCALL\n":               true,
		"// SYSCALL is not used\n\tRET\n": false,
		"\tCALL ·mySYSCALL(SB)\n":         false,
	} {
		if got := asmCall([]byte(src)); got != want {
			t.Errorf("%q: %v", src, got)
		}
	}
}
