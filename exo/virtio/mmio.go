package virtio

import "github.com/hardtack-os/hardtack/exo"

// Virtio over memory-mapped registers, version 2: VIRTIO 1.2, 4.2.2.

const (
	regMagic        = 0x000 // "virt"
	regVersion      = 0x004
	regDeviceID     = 0x008
	regOffered      = 0x010 // DeviceFeatures
	regOfferedSel   = 0x014
	regAccepted     = 0x020 // DriverFeatures
	regAcceptedSel  = 0x024
	regQueueSel     = 0x030
	regQueueMax     = 0x034 // QueueNumMax
	regQueueNum     = 0x038
	regQueueReady   = 0x044
	regQueueNotify  = 0x050
	regInterrupt    = 0x060 // InterruptStatus
	regInterruptAck = 0x064
	regStatus       = 0x070
	regQueueDesc    = 0x080 // low, high
	regQueueDriver  = 0x090
	regQueueDevice  = 0x0a0
	regGeneration   = 0x0fc
	regConfig       = 0x100
	mmioMagic       = 0x74726976
	mmioVersion     = 2
)

type mmioTransport struct {
	name string
	mem  *exo.MMIO
	line *exo.Line
}

func openMMIO(holder string, p exo.VirtioMMIO, v *exo.Vector) (*mmioTransport, error) {
	mem, err := exo.TakeMMIO(holder, p.Base, p.Size)
	if err != nil {
		return nil, err
	}
	t := &mmioTransport{name: "device at 0x" + hex(uint64(p.Base)), mem: mem}
	if err := t.open(holder, p, v); err != nil {
		t.release()
		return nil, err
	}
	return t, nil
}

func (t *mmioTransport) open(holder string, p exo.VirtioMMIO, v *exo.Vector) (err error) {
	if p.Size < regConfig || t.mem.Load32(regMagic) != mmioMagic || t.mem.Load32(regVersion) != mmioVersion || t.mem.Load32(regDeviceID) == 0 {
		return &DeviceError{t.name, "no device with the modern register layout answers there"}
	}
	if t.line, err = exo.TakeLine(holder, p.GSI, p.ActiveLow); err != nil {
		return err
	}
	t.setStatus(0) // quiet before its line is heard
	return t.line.Bind(v, nil)
}

func (t *mmioTransport) status() uint8     { return uint8(t.mem.Load32(regStatus)) }
func (t *mmioTransport) setStatus(s uint8) { t.mem.Store32(regStatus, uint32(s)) }

func (t *mmioTransport) offered() uint64 {
	t.mem.Store32(regOfferedSel, 0)
	f := uint64(t.mem.Load32(regOffered))
	t.mem.Store32(regOfferedSel, 1)
	return f | uint64(t.mem.Load32(regOffered))<<32
}

func (t *mmioTransport) accept(f uint64) {
	t.mem.Store32(regAcceptedSel, 0)
	t.mem.Store32(regAccepted, uint32(f))
	t.mem.Store32(regAcceptedSel, 1)
	t.mem.Store32(regAccepted, uint32(f>>32))
}

func (t *mmioTransport) queueMax(i int) uint16 {
	t.mem.Store32(regQueueSel, uint32(i))
	return uint16(min(t.mem.Load32(regQueueMax), maxQueue))
}

func (t *mmioTransport) enable(q *Queue) error {
	t.mem.Store32(regQueueSel, uint32(q.index))
	if t.mem.Load32(regQueueReady) != 0 {
		return &DeviceError{t.name, "queue " + decimal(q.index) + " is in use before it was set up"}
	}
	t.mem.Store32(regQueueNum, uint32(q.size))
	desc, avail, used := q.parts()
	t.address(regQueueDesc, desc)
	t.address(regQueueDriver, avail)
	t.address(regQueueDevice, used)
	t.mem.Store32(regQueueReady, 1)
	q.notify, q.notifyOff = t.mem, regQueueNotify
	return nil
}

func (t *mmioTransport) address(reg uintptr, a exo.Phys) {
	t.mem.Store32(reg, uint32(a))
	t.mem.Store32(reg+4, uint32(a>>32))
}

func (t *mmioTransport) generation() uint32 { return t.mem.Load32(regGeneration) }

func (t *mmioTransport) config() (*exo.MMIO, uintptr, uintptr) {
	return t.mem, regConfig, t.mem.Size() - regConfig
}

func (t *mmioTransport) interrupted() uint32 {
	s := t.mem.Load32(regInterrupt)
	if s != 0 {
		t.mem.Store32(regInterruptAck, s)
	}
	return s
}

func (t *mmioTransport) messages() int { return 0 }

// bind is never called: there are no messages.
func (t *mmioTransport) bind(int, *exo.Vector, *exo.CPU) error {
	return &DeviceError{t.name, "it has one line for all its interrupts"}
}

func (t *mmioTransport) cutOff() bool { return false }

func (t *mmioTransport) release() {
	if t.line != nil {
		t.line.Release()
	}
	t.mem.Release()
}
