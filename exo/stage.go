package exo

import (
	"sync"
	"sync/atomic"
)

// An Action is one step of what a vector does at once, made by [Count], [Stamp], [Load], [Store] or [Pass], for [Vector.Attach].
//
// Programs that a kernel runs for its user without a switch to it are Aegis' and Xok's ASHs (Wallach, Engler, Kaashoek, "ASHs: Application-Specific Handlers for
// High-Performance Messaging", SIGCOMM '96). Those are machine code that was made safe; these are a row of steps, for what they are needed for is
// little, and what cannot loop or reach elsewhere need not be made safe.
type Action struct {
	verb  uint32
	ring  uint32
	live  *uintptr // 0 once what it is about has ended
	live2 *uintptr
	at    uintptr // memory
	reg   uintptr // of a device
	value uint32
	fail  uint32
}

// The bottom half's numbers (exo_stage.go).
const (
	actCount = iota + 1
	actStamp
	actLoad
	actStore
	actPass
)

// Reasons that Attach gives.
const (
	actMisplaced = iota + 1
	actEnded
	actRegister
)

// maxActions bounds a program, and with it how long it keeps a CPU.
const maxActions = 64

// onWords is an action on n words of a size from byte off of f on.
func onWords(f *Frames, off uintptr, n int, size uintptr) Action {
	a := Action{ring: uint32(n), live: &f.size}
	have := atomic.LoadUintptr(&f.size)
	switch {
	case have == 0:
		a.fail = actEnded
	case off%size != 0 || n <= 0 || uintptr(n) > have/size || off > have-uintptr(n)*size:
		a.fail = actMisplaced
	default:
		a.at = f.at.address() + off
	}
	return a
}

// register checks one of a device's.
func (a Action) register(m *MMIO, off uintptr, live *atomic.Uintptr) Action {
	switch have := live.Load(); {
	case have == 0:
		a.fail = actEnded
	case off%4 != 0 || off > have-4 || have < 4:
		a.fail = actRegister
	default:
		a.reg, a.live2 = m.va+off, addressOfUintptr(live)
	}
	return a
}

// Count adds 1 to the 32-bit word at byte off of f.
func Count(f *Frames, off uintptr) Action {
	a := onWords(f, off, 1, 4)
	a.verb = actCount
	return a
}

// Stamp stores what Now says, 64 bits, in turn in n places from byte off of f on.
func Stamp(f *Frames, off uintptr, n int) Action {
	a := onWords(f, off, n, 8)
	a.verb = actStamp
	return a
}

// Load stores what the 32-bit register at byte reg of m holds, in turn in n places from byte off of f on.
func Load(m *MMIO, reg uintptr, f *Frames, off uintptr, n int) Action {
	a := onWords(f, off, n, 4)
	if a.fail == 0 {
		a = a.register(m, reg, &m.readable)
	}
	a.verb = actLoad
	return a
}

// Store stores v to the 32-bit register at byte reg of m: what quiets a device, or tells it to go on.
func Store(m *MMIO, reg uintptr, v uint32) Action {
	a := Action{ring: 1, value: v}.register(m, reg, &m.writable)
	a.verb = actStore
	return a
}

// Pass hands the interrupt to the goroutine in Wait, as without a program.
func Pass() Action { return Action{verb: actPass, ring: 1} }

// stage is a vector's program.
type stage struct {
	mu    sync.Mutex
	steps []Action // keeps alive what the kernel side has addresses of
}

// stages says that some vector has, or had, a program.
var stages atomic.Bool

// awaitStages returns when no CPU does an action that began before the call: the one about what has just ended among them.
func awaitStages() {
	if stages.Load() {
		hwStagesDone()
	}
}

// Attach has the processor do the actions, in their order, whenever the vector fires, before anybody is woken: at once, wherever that CPU is, beside goroutines, the
// collector and the scheduler; not where the bottom half itself runs, which lasts as long as what it was asked for (a batch of pages, a large page that is
// cleared). An action whose frames or registers have ended is left out. The vector's goroutine is woken by [Pass] only; without it Wait
// must not be waited in. It replaces what was attached before.
//
// The order in which interrupts that are pending are taken, and which of them [CPU.Hold] holds back, is the priority class of the vector: its number divided
// by 16 (Intel SDM vol. 3A, 11.8.3).
//
// Errors: *RangeError for more than 64 actions, for none, and for an action outside its frames, registers or their alignment; *EmptyError for one that was not made by the
// functions above; *ReleasedError for one on what has ended; *ExhaustedError; those of Err. It does not block.
func (v *Vector) Attach(actions ...Action) error {
	if len(actions) == 0 || len(actions) > maxActions {
		return outside("count of actions", uint64(len(actions)), uint64(len(actions)), 1, maxActions, "")
	}
	for i := range actions {
		switch a := &actions[i]; {
		case a.verb == 0:
			return &EmptyError{}
		case a.fail == actEnded:
			return released("frames or registers")
		case a.fail != 0:
			return outside("action", uint64(i), uint64(i), 0, uint64(len(actions)-1), "its word or register is misaligned, or outside what was bound")
		}
	}
	s := &v.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	n := v.Number()
	if n == 0 {
		return v.b.err()
	}
	stages.Store(true)
	s.detach(int(n))
	steps := append([]Action(nil), actions...)
	if !hwAttach(int(n), &steps[0], len(steps)) {
		return &ExhaustedError{Space: "frames for programs", Want: 1, Why: "release memory"}
	}
	s.steps = steps
	return nil
}

// Detach takes the actions away: the vector wakes its goroutine again. When it returns no CPU does them.
//
// Errors: those of Err. It does not block.
func (v *Vector) Detach() error {
	v.stage.end(int(v.b.lo))
	return v.b.err()
}

func (s *stage) end(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detach(n)
}

func (s *stage) detach(n int) {
	if s.steps != nil {
		hwDetach(n)
		s.steps = nil
	}
}

// threshold is what a CPU holds back.
type threshold struct {
	mu    sync.Mutex
	class int
}

// MaxHold is the highest class that can be held back: the CPU's own timer and the calls from other CPUs are above.
const MaxHold = 13

// Hold has the CPU hold back the interrupts of vectors of a priority class up to this one (their number divided by 16), from when it returns; 0 holds back none. They
// are not lost: each is taken once when that ends. What is above is taken as ever: so a stage of high vectors runs while those below are masked.
// It is for all that runs on the CPU, and ends with the binding.
//
// Errors: *RangeError, *ExhaustedError where vector 238, by which a CPU is told, is another's; those of Err. It waits for the CPU to take an interrupt.
func (c *CPU) Hold(class int) error {
	if class < 0 || class > MaxHold {
		return outside("priority class", uint64(class), uint64(class), 0, MaxHold, "what is above runs the program")
	}
	c.mask.mu.Lock()
	defer c.mask.mu.Unlock()
	if err := c.b.err(); err != nil {
		return err
	}
	if class == c.mask.class {
		return nil
	}
	if !hwThreshold(c.n, class) {
		return &ExhaustedError{Space: "vector 238", Want: 1, Why: "its holder must release it"}
	}
	c.mask.class = class
	return nil
}

func (t *threshold) end(cpu int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.class != 0 {
		hwThreshold(cpu, 0)
		t.class = 0
	}
}

// Send raises the vector on the CPU, as a device would (an interprocessor interrupt).
//
// Errors: those of both Err. It does not block.
func (c *CPU) Send(v *Vector) error {
	if err := c.b.err(); err != nil {
		return err
	}
	n := v.Number()
	if n == 0 {
		return v.b.err()
	}
	hwSend(int(n), c.apic)
	return nil
}
