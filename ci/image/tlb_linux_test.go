//go:build !hardtack

package image

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTLB: a busy processor forgets its translations now and then, without which QEMU's emulator leaves its TLB as small as it is at the start. QEMU counts.
func TestTLB(t *testing.T) {
	t.Parallel()
	sock := filepath.Join(t.TempDir(), "qmp")
	b := start(t, "plain", machine{more: []string{"-qmp", "unix:" + sock + ",server=on,wait=off"}}, "busy")
	b.until(t, "ready")
	q := dialQMP(t, sock)
	flushes := func() (n int) {
		var text string
		q.do(t, `{"execute":"human-monitor-command","arguments":{"command-line":"info jit"}}`, &text)
		for line := range strings.Lines(text) {
			var k int
			for _, kind := range []string{"full", "partial"} {
				if m, _ := fmt.Sscanf(line, "TLB "+kind+" flushes %d", &k); m == 1 {
					n += k
				}
			}
		}
		return n
	}
	last, times := flushes(), 0
	for end := time.Now().Add(time.Minute); times < 5; time.Sleep(20 * time.Millisecond) {
		if now := flushes(); now != last {
			last, times = now, times+1
		}
		if time.Now().After(end) {
			t.Fatalf("in a minute there were %d flushes", times)
		}
	}
	b.cmd.Process.Kill()
	b.wait(t)
}
