package socket

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestGoroutineNames: who waits for the network has it in his first line; all else stays as it is.
func TestGoroutineNames(t *testing.T) {
	const dump = "goroutine 7 [IO wait, 3 minutes]:\nmain.f(0x1)\n\t/a/b.go:7 +0x1\n\ngoroutine 8 [running]:\nmain.g()\n\ngoroutine 9 [IO wait]:\ngoroutine x [IO wait]:\ngoroutine 7"
	got := string(name([]byte(dump), map[uint64]string{7: "tcp 10.0.0.1:80 10.0.0.2:4711 read", 8: "udp"}))
	if want := strings.Replace(dump, "3 minutes]", "3 minutes, tcp 10.0.0.1:80 10.0.0.2:4711 read]", 1); got != want {
		t.Errorf("%s", got)
	}
	if got := Goroutines(); !bytes.Contains(got, []byte("TestGoroutineNames")) {
		t.Errorf("this goroutine is not in the dump: %s", got)
	}
}

// TestLongDump: a dump of goroutines that does not fit is cut, and says so.
func TestLongDump(t *testing.T) {
	if got := goroutines(64); !bytes.HasPrefix(got, []byte("goroutine ")) || !bytes.HasSuffix(got, []byte("\n(the rest does not fit)\n")) || len(got) > 100 {
		t.Errorf("%q", got)
	}
}

// TestHostsChanged: each name that the image gets is a change of /etc/hosts, one of the same length, too.
func TestHostsChanged(t *testing.T) {
	defer posix.SetHostName(posix.HostName())
	seen := map[int64]bool{}
	for _, name := range []string{"a", "b", "hardtack"} {
		posix.SetHostName(name)
		seen[hostsChanged()] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d changes", len(seen))
	}
}
