package child

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestMain is the test's, or with CHILD_PARENT the process in the middle, which starts one that would wait for a byte, says which, and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("CHILD_PARENT") == "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("cat")
	w, err := cmd.StdinPipe()
	if err == nil {
		err = Start(cmd)
	}
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString(strconv.Itoa(cmd.Process.Pid) + "\n")
	cmd.Wait()
	w.Close()
}

// TestEndsWithParent kills a process: what it started ends, too.
func TestEndsWithParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "CHILD_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := Start(parent); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(line[:len(line)-1])
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open("/proc/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY, 0) // of this process, whoever has its number later
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	parent.Process.Kill()
	parent.Wait()
	for { // the test's own limit ends this
		var b [512]byte
		n, err := syscall.Pread(fd, b[:], 0)
		if errors.Is(err, syscall.ESRCH) || err == nil && bytes.Contains(b[:n], []byte(") Z ")) { // proc_pid_stat(5): ended, and nobody has asked how
			return
		} else if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestOutlivesThreads: what a goroutine started goes on when its thread ends.
func TestOutlivesThreads(t *testing.T) {
	cmd := exec.Command("cat")
	w, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var started error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and the thread ends with the goroutine
		started = Start(cmd)
	}()
	if <-ended; started != nil {
		t.Fatal(started)
	}
	w.Close()
	if err := cmd.Wait(); err != nil {
		t.Error("it did not end by itself:", err)
	}
	out, err := CombinedOutput(exec.Command("sh", "-c", "echo out; echo err >&2; exit 3"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || string(out) != "out\nerr\n" {
		t.Errorf("%q, %v", out, err)
	}
}
