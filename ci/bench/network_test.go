package main

import "testing"

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
