package tcp

import (
	"testing"
	"unsafe"
)

// TestSize: a connection and the word that the allocator puts before what has pointers fill one of Go's sizes of objects; a byte more, and each takes 128 more.
func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 896-8 {
		t.Errorf("a Conn has %d bytes, more than 888", n)
	}
}
