package build

import "testing"

func TestGoCall(t *testing.T) {
	for src, want := range map[string]bool{
		"x, _, e := syscall.Syscall(1, 2, 3, 4)":          true,
		"syscall.RawSyscall6(n, 0, 0, 0, 0, 0, 0)":        true,
		"fd, err := syscall.EpollCreate1(0)":              true,
		"signal.Notify(c, syscall.SIGTERM)":               false,
		"var e syscall.Errno; e = syscall.Errno(3)":       false,
		"syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)": false,
		"mysyscall.Do()": false,
	} {
		if got := goCall([]byte(src)); got != want {
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
