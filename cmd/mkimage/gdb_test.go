package main

import (
	"bufio"
	"net"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// TestGDB shows that the machine waits for a debugger on the port that the
// printed command names, and that the named file has symbols.
func TestGDB(t *testing.T) {
	c := call{dir: root(t)}
	cmd := c.command(t, "run", "--gdb", "./samples/hello")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	command := regexp.MustCompile(`gdb -ex 'target remote (127\.0\.0\.1:\d+)' (\S+)`)
	var m []string
	for lines := bufio.NewScanner(stderr); m == nil && lines.Scan(); {
		m = command.FindStringSubmatch(lines.Text())
	}
	if m == nil {
		t.Fatal("no command to attach a debugger was printed")
	}
	if _, err := os.Stat(m[2]); err != nil {
		t.Error(err)
	}
	var conn net.Conn
	for range 1200 {
		if conn, err = net.Dial("tcp", m[1]); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// GDB's remote protocol: why has the target stopped? "S05" or "T05..." is a trap.
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write([]byte("$?#3f")); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 5)
	if _, err := conn.Read(reply); err != nil {
		t.Fatal(err)
	}
	if reply[0] != '+' {
		t.Errorf("the debugger's port answers %q", reply)
	}
}
