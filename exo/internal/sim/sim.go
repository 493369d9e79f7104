// Package sim is a machine made of Go: RAM, an I/O APIC, PCI configuration space by ports and by memory, ACPI tables and
// virtio devices, enough for exo and its drivers to run as an ordinary test. It imposes no order on its users: a device may
// run on any goroutine.
//
// It implements exo.Machine without importing exo, so that exo's own tests can use it. Devices can be told to lie.
package sim

import (
	"sync"
	"time"
)

const page = 4096

// Machine is one simulated machine. Fill in what is wanted before exo sees it.
type Machine struct {
	CmdlineText string
	RSDPAddress uintptr
	APICIDs     []uint32 // one a CPU; nil means one CPU with ID 0

	ram    []byte // at physical address 0
	frames frames

	mu      sync.Mutex // guards all below
	wake    *sync.Cond
	mmio    []region
	ports   []region
	vectors [256]vector
	power   [2]Power
	button  Button
	entropy []byte
}

// Power is what exo said of one power operation.
type Power struct {
	Kind  int
	Addr  uintptr
	Value uint32
}

// Button is what exo said of the power button.
type Button struct {
	Vector, Kind int
	Addr         uintptr
	Mask, Ack    uint32
}

type vector struct {
	taken bool
	fired uint64
}

// Registers is a device's registers, or ports: off counts from the region's start, width is 1, 2, 4 or 8.
type Registers interface {
	Load(off uintptr, width int) uint64
	Store(off uintptr, width int, v uint64)
}

type region struct {
	base, size uintptr
	dev        Registers
}

// New makes a machine with n bytes of RAM at address 0, the upper half of them free frames.
func New(n int) *Machine {
	m := &Machine{ram: alignedBytes(n)}
	m.wake = sync.NewCond(&m.mu)
	m.frames.first = uintptr(n) / 2 / page
	m.frames.used = make([]bool, n/2/page)
	return m
}

// RAM is physical memory at [phys, phys+size), as a device sees it; nil outside it.
func (m *Machine) RAM(phys, size uint64) []byte {
	if phys > uint64(len(m.ram)) || size > uint64(len(m.ram))-phys {
		return nil
	}
	return m.ram[phys : phys+size : phys+size]
}

// Map puts device registers at a physical address, MapPorts at a port.
func (m *Machine) Map(base, size uintptr, dev Registers) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mmio = append(m.mmio, region{base, size, dev})
}

// MapPorts puts a device at a range of ports.
func (m *Machine) MapPorts(base, size uintptr, dev Registers) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ports = append(m.ports, region{base, size, dev})
}

// Fire raises vector v.
func (m *Machine) Fire(v int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vectors[v&255].fired++
	m.wake.Broadcast()
}

// What exo told the machine.

func (m *Machine) PowerOp(op int) Power {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.power[op]
}

func (m *Machine) PowerButtonSet() Button {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.button
}

// Mixed is all entropy given so far.
func (m *Machine) Mixed() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]byte(nil), m.entropy...)
}

// FramesUsed counts frames in use.
func (m *Machine) FramesUsed() int { return m.frames.count() }

// VectorsUsed counts vectors given out.
func (m *Machine) VectorsUsed() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.vectors {
		if v.taken {
			n++
		}
	}
	return n
}

// The methods of exo.Machine.

func (m *Machine) DirectMap(phys, size uintptr) uintptr {
	b := m.RAM(uint64(phys), uint64(size))
	if b == nil {
		return 0
	}
	return addressOf(b)
}

// MapMMIO is the identity: Load and Store go by physical address.
func (m *Machine) MapMMIO(phys, size uintptr) uintptr { return phys }

func (m *Machine) RSDP() uintptr   { return m.RSDPAddress }
func (m *Machine) Cmdline() string { return m.CmdlineText }

func (m *Machine) Memory(i int) (base, size uint64, kind uint32, ok bool) {
	if i > 0 {
		return 0, 0, 0, false
	}
	return 0, uint64(len(m.ram)), 1, true
}

func (m *Machine) CPUs() int { return max(1, len(m.APICIDs)) }

func (m *Machine) APICID(cpu int) uint32 {
	if cpu >= len(m.APICIDs) {
		return 0
	}
	return m.APICIDs[cpu]
}

func (m *Machine) Frames(n, align uintptr) uintptr {
	p := m.frames.take(n, align)
	if p != 0 {
		clear(m.ram[p : p+n*page])
	}
	return p
}

// TakeFrame takes one frame by its address.
func (m *Machine) TakeFrame(phys uintptr) bool { return m.frames.takeOne(phys) }

func (m *Machine) FreeFrames(phys, n uintptr) { m.frames.free(phys, n) }

// CountFrames tells how many frames are free, and how many there are.
func (m *Machine) CountFrames() (free, total uintptr) {
	n := len(m.frames.used)
	return uintptr(n - m.frames.count()), uintptr(n)
}

func (m *Machine) VectorAlloc() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := 48; i <= 238; i++ {
		if v := &m.vectors[i]; !v.taken {
			*v = vector{taken: true}
			return i
		}
	}
	return 0
}

// TakeVector gives out one vector by its number.
func (m *Machine) TakeVector(v int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v < 48 || v > 238 || m.vectors[v].taken {
		return false
	}
	m.vectors[v] = vector{taken: true}
	return true
}

// WakeVector ends a wait.
func (m *Machine) WakeVector(v int) { m.Fire(v) }

func (m *Machine) VectorFree(v int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.vectors[v].taken {
		panic("sim: a vector freed twice")
	}
	m.vectors[v] = vector{}
}

func (m *Machine) VectorWait(v int, deadline int64) uint64 {
	if deadline > 0 {
		t := time.AfterFunc(time.Duration(deadline-nanotime()), func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.wake.Broadcast()
		})
		defer t.Stop()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.vectors[v].fired == 0 && deadline >= 0 && (deadline == 0 || nanotime() < deadline) {
		m.wake.Wait()
	}
	n := m.vectors[v].fired
	m.vectors[v].fired = 0
	return n
}

func (m *Machine) SetPower(op, kind int, addr uintptr, value uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.power[op] = Power{kind, addr, value}
}

func (m *Machine) PowerButton(v, kind int, addr uintptr, mask, ack uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.button = Button{v, kind, addr, mask, ack}
}

func (m *Machine) Entropy(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entropy = append(m.entropy, p...)
}

func (m *Machine) find(list *[]region, at uintptr) (Registers, uintptr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range *list {
		if at >= r.base && at-r.base < r.size {
			return r.dev, at - r.base
		}
	}
	return nil, 0
}

func (m *Machine) Load(va uintptr, width int) uint64 {
	if d, off := m.find(&m.mmio, va); d != nil {
		return d.Load(off, width)
	}
	return ^uint64(0)
}

func (m *Machine) Store(va uintptr, width int, v uint64) {
	if d, off := m.find(&m.mmio, va); d != nil {
		d.Store(off, width, v)
	}
}

func (m *Machine) In(port uint16, width int) uint32 {
	if d, off := m.find(&m.ports, uintptr(port)); d != nil {
		return uint32(d.Load(off, width))
	}
	return ^uint32(0)
}

func (m *Machine) Out(port uint16, width int, v uint32) {
	if d, off := m.find(&m.ports, uintptr(port)); d != nil {
		d.Store(off, width, uint64(v))
	}
}
