package main

import (
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/internal/netns"
)

// TestLeftNamespaces: what is removed is what a bench made that runs no more, and nothing else.
func TestLeftNamespaces(t *testing.T) {
	one := func(pid int) bool { return pid == 7 }
	for name, want := range map[string]bool{"bench-7": false, "bench-8": true, "bench-": false, "bench-x": false, "bench--8": false, "bench-0": false, "8": false, "other-8": false} {
		if left(name, one) != want {
			t.Errorf("%q: %v, want %v", name, !want, want)
		}
	}
	if !alive(1) || alive(1<<22+1) { // beyond the largest that Linux gives
		t.Error("alive does not know who lives")
	}
}

// TestWireAsksNobody: the host's end knows the guest's link-layer address, also before there is a guest.
func TestWireAsksNobody(t *testing.T) {
	netns.For(t) // without the rights for another one, there is nothing to be seen
	w, err := newWire(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got, err := w.Command(t.Context(), "ip", "neighbour", "show"); err != nil || !strings.HasPrefix(got, guestHost+" ") || !strings.Contains(got, "PERMANENT") {
		t.Errorf("%q, %v", got, err)
	}
}
