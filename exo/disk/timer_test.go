package disk

import (
	"testing"
	"time"
)

// TestTimer: a timer calls when it is armed, and can be armed again; End waits for a call that is under way, and none follows.
func TestTimer(t *testing.T) {
	called, goOn := make(chan bool, 10), make(chan bool)
	done := false
	timer := NewTimer(func() {
		called <- true
		<-goOn
		done = true
	})
	timer.Arm(1)
	<-called
	goOn <- true
	timer.Arm(1)
	<-called
	done = false
	time.AfterFunc(50*time.Millisecond, func() { goOn <- true })
	timer.End()
	if !done {
		t.Error("a call is under way")
	}
	timer.Arm(1)
	time.Sleep(10 * time.Millisecond)
	if len(called) > 0 {
		t.Error("a call after the end")
	}
}
