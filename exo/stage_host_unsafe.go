//go:build !hardtack

package exo

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// The hosted twin keeps programs and does them when a test says that the vector fired.

var hostStages struct {
	mu    sync.Mutex
	steps map[int][]Action
	runs  map[int]uintptr
}

func hwAttach(v int, steps *Action, n int) bool {
	h := &hostStages
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.steps == nil {
		h.steps, h.runs = map[int][]Action{}, map[int]uintptr{}
	}
	h.steps[v] = append([]Action(nil), unsafe.Slice(steps, n)...)
	h.runs[v] = 0
	return true
}

func hwDetach(v int) {
	hostStages.mu.Lock()
	defer hostStages.mu.Unlock()
	delete(hostStages.steps, v)
}

// Sends to a CPU arrive at once.
func hwSend(v int, _ uint32) { FireStage(v) }

// FireStage is what the processor does when vector v fires, on the host: its actions, or what wakes who waits. Tests only.
func FireStage(v int) {
	h := &hostStages
	h.mu.Lock()
	steps, k := h.steps[v], h.runs[v]
	if steps != nil {
		h.runs[v]++
	}
	pass := steps == nil
	for i := range steps {
		a := &steps[i]
		if a.live != nil && atomic.LoadUintptr(a.live) == 0 || a.live2 != nil && atomic.LoadUintptr(a.live2) == 0 {
			continue
		}
		to := a.at + k%uintptr(a.ring)*4
		switch a.verb {
		case actCount:
			(*atomic.Uint32)(hostPointer(a.at)).Add(1)
		case actStamp:
			*(*int64)(hostPointer(a.at + k%uintptr(a.ring)*8)) = Now()
		case actLoad:
			*(*uint32)(hostPointer(to)) = load32(a.reg)
		case actStore:
			store32(a.reg, a.value)
		case actPass:
			pass = true
		}
	}
	h.mu.Unlock()
	if pass {
		hwWakeVector(v)
	}
}

func hostPointer(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }
