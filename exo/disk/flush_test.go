package disk

import (
	"errors"
	"testing"
)

// TestFlushes ends flushes in all orders. What went well while one was under way that fails is a failure, whichever the device tells of first; and so is each flush behind that.
func TestFlushes(t *testing.T) {
	failed := &IOError{}
	for _, x := range []struct {
		name string
		what string // a to d begin, A to D end well, 1 to 4 fail
		want string // how and in which order they are told of: A is well, a is not
	}{
		{"one", "aA", "A"},
		{"one after the other", "aAbBcC", "ABC"},
		{"a failure", "a1bBcC", "abc"},
		{"two, told of in order", "abAB", "AB"},
		{"two, told of backwards", "abBA", "BA"},
		{"the first fails, and is told of last", "abB1", "ab"},
		{"the last fails, and is told of last", "abA2", "ba"},
		{"one that began after the other's end", "aAb2cC", "Abc"},
		{"three, the first of which is late", "abBcC1", "abc"},
		{"four, each of which waits for those that it met only", "abAcBdC4", "ABdc"},
	} {
		var f Flushes
		got := ""
		reqs := map[byte]*Request{}
		for i := range len(x.what) {
			c := x.what[i]
			switch {
			case c >= 'a':
				r := &Request{Op: Flush}
				r.Done = func(r *Request) {
					if r.Err == nil {
						c -= 'a' - 'A'
					}
					got += string(c)
				}
				reqs[c] = r
				f.Began(r)
			case c >= 'A':
				f.Ended("disk", reqs[c+'a'-'A'], nil)
			default:
				f.Ended("disk", reqs[c+'a'-'1'], failed)
			}
		}
		if got != x.want {
			t.Errorf("%s: %s ended as %q, want %q", x.name, x.what, got, x.want)
		}
		if len(f.flying) != 0 || len(f.held) != 0 {
			t.Errorf("%s: %d under way, %d held", x.name, len(f.flying), len(f.held))
		}
	}
}

// TestDoubt: the first reason is that of each flush.
func TestDoubt(t *testing.T) {
	var d Doubt
	if err := d.Judge("disk", nil); err != nil {
		t.Error(err)
	}
	d.Mistrust("first")
	d.Mistrust("second")
	var e *IOError
	if err := d.Judge("disk", nil); !errors.As(err, &e) || e.Why != "first" || e.Disk != "disk" || e.Op != Flush {
		t.Error(err)
	}
	own := &IOError{}
	if err := d.Judge("disk", own); err != own {
		t.Error(err)
	}
}
