package virtio

import "github.com/hardtack-os/hardtack/exo"

// Virtio over PCI, modern: VIRTIO 1.2, 4.1.4.3 (common configuration).

const (
	comOfferedSel  = 0x00
	comOffered     = 0x04
	comAcceptedSel = 0x08
	comAccepted    = 0x0c
	comConfigMsg   = 0x10 // config_msix_vector
	comStatus      = 0x14
	comGeneration  = 0x15
	comQueueSel    = 0x16
	comQueueSize   = 0x18
	comQueueMsg    = 0x1a // queue_msix_vector
	comQueueEnable = 0x1c
	comNotifyOff   = 0x1e // queue_notify_off
	comQueueDesc   = 0x20
	comQueueDriver = 0x28
	comQueueDevice = 0x30
	commonSize     = 0x38

	noMessage = 0xffff // VIRTIO_MSI_NO_VECTOR
)

// Identification: VIRTIO 1.2, 4.1.2.
const (
	vendorID     = 0x1af4
	modernBase   = 0x1040 // plus the device ID
	transitional = 0x1000 // to 0x103f; the device ID is the subsystem's
)

type pciTransport struct {
	name string
	f    *exo.Function
	bars [6]*exo.MMIO
	w    pciWindows
	com  *exo.MMIO
	off  uintptr // of the common configuration in com

	msgs   int  // interrupts that it can raise
	polled bool // it has none, and its driver does without
}

func openPCI(holder string, id exo.FunctionID, v *exo.Vector, poll bool) (*pciTransport, error) {
	f, err := exo.TakeFunction(holder, id)
	if err != nil {
		return nil, err
	}
	t := &pciTransport{name: "PCI function " + id.String(), f: f}
	if err := t.open(holder, v, poll); err != nil {
		t.release()
		return nil, err
	}
	return t, nil
}

func (t *pciTransport) open(holder string, v *exo.Vector, poll bool) (err error) {
	var ok bool
	if t.w, ok = readWindows(t.f.Capabilities(capVendor), t.f.Load8, t.f.Load32); !ok {
		return &DeviceError{t.name, "its capabilities name no modern registers"}
	}
	if t.com, err = t.window(holder, t.w.common); err != nil {
		return err
	}
	t.off = uintptr(t.w.common.off)
	if _, err = t.window(holder, t.w.notify); err != nil {
		return err
	}
	if t.w.device.size != 0 {
		if _, err = t.window(holder, t.w.device); err != nil {
			return err
		}
	}
	if t.msgs, err = t.f.Messages(); err != nil {
		return err
	} else if t.msgs == 0 && poll {
		t.polled = true
		t.f.Enable()
		return nil
	} else if t.msgs == 0 {
		return &DeviceError{t.name, "it has no MSI-X, and its shared INTx pin is not used"}
	}
	t.f.Enable()
	return t.bind(0, v, nil)
}

func (t *pciTransport) bind(i int, v *exo.Vector, cpu *exo.CPU) error { return t.f.Bind(i, v, cpu) }

func (t *pciTransport) messages() int { return t.msgs }

// window takes the BAR that w is in, once, and checks that it fits.
func (t *pciTransport) window(holder string, w window) (m *exo.MMIO, err error) {
	if m = t.bars[w.bar]; m == nil {
		if m, err = t.f.BAR(holder, int(w.bar)); err != nil {
			return nil, err
		}
		t.bars[w.bar] = m
	}
	if !w.fits(m) {
		return nil, &DeviceError{t.name, "a capability names registers outside BAR " + decimal(int(w.bar))}
	}
	return m, nil
}

func (t *pciTransport) status() uint8     { return t.com.Load8(t.off + comStatus) }
func (t *pciTransport) setStatus(s uint8) { t.com.Store8(t.off+comStatus, s) }

func (t *pciTransport) offered() uint64 {
	t.com.Store32(t.off+comOfferedSel, 0)
	f := uint64(t.com.Load32(t.off + comOffered))
	t.com.Store32(t.off+comOfferedSel, 1)
	return f | uint64(t.com.Load32(t.off+comOffered))<<32
}

func (t *pciTransport) accept(f uint64) {
	t.com.Store32(t.off+comAcceptedSel, 0)
	t.com.Store32(t.off+comAccepted, uint32(f))
	t.com.Store32(t.off+comAcceptedSel, 1)
	t.com.Store32(t.off+comAccepted, uint32(f>>32))
}

func (t *pciTransport) queueMax(i int) uint16 {
	t.com.Store16(t.off+comQueueSel, uint16(i))
	return min(t.com.Load16(t.off+comQueueSize), maxQueue)
}

// enable gives the queue to the device; interrupts for configuration changes are message 0.
func (t *pciTransport) enable(q *Queue) error {
	t.com.Store16(t.off+comQueueSel, uint16(q.index))
	if t.com.Load16(t.off+comQueueEnable) != 0 {
		return &DeviceError{t.name, "queue " + decimal(q.index) + " is in use before it was set up"}
	}
	t.com.Store16(t.off+comQueueSize, q.size)
	for _, x := range [...]struct {
		reg     uintptr
		message uint16
	}{{comConfigMsg, 0}, {comQueueMsg, q.message}} {
		if t.polled {
			break
		}
		t.com.Store16(t.off+x.reg, x.message)
		if t.com.Load16(t.off+x.reg) == noMessage { // it has no resources for it (4.1.5.1.2)
			return &DeviceError{t.name, "it cannot give queue " + decimal(q.index) + " an interrupt"}
		}
	}
	at := uint64(t.w.multiplier) * uint64(t.com.Load16(t.off+comNotifyOff))
	if at+2 > uint64(t.w.notify.size) || at%2 != 0 {
		return &DeviceError{t.name, "it wants queue " + decimal(q.index) + " notified outside its notification registers"}
	}
	q.notify, q.notifyOff, q.notify16 = t.bars[t.w.notify.bar], uintptr(t.w.notify.off)+uintptr(at), true
	desc, avail, used := q.parts()
	t.address(comQueueDesc, desc)
	t.address(comQueueDriver, avail)
	t.address(comQueueDevice, used)
	t.com.Store16(t.off+comQueueEnable, 1)
	return nil
}

// address stores a 64-bit field in two halves, as 4.1.3.1 wants.
func (t *pciTransport) address(reg uintptr, a exo.Phys) {
	t.com.Store32(t.off+reg, uint32(a))
	t.com.Store32(t.off+reg+4, uint32(a>>32))
}

func (t *pciTransport) generation() uint32 { return uint32(t.com.Load8(t.off + comGeneration)) }

func (t *pciTransport) config() (*exo.MMIO, uintptr, uintptr) {
	w := t.w.device
	return t.bars[w.bar], uintptr(w.off), uintptr(w.size)
}

// interrupted: a message needs no confirmation (4.1.4.5.2).
func (t *pciTransport) interrupted() uint32 { return 0 }

// cutOff: without the bus it reads and writes nothing.
func (t *pciTransport) cutOff() bool {
	t.f.Disable()
	return true
}

func (t *pciTransport) release() { t.f.Release() }
