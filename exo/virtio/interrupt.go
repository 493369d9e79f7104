package virtio

import "github.com/hardtack-os/hardtack/exo"

// An Interrupt is a message of the device beside the one that Device.Wait is about, for queues of their own goroutines (VIRTIO 1.2, 4.1.5.1). It ends with the device.
type Interrupt struct {
	message uint16
	v       *exo.Vector
	cpu     *exo.CPU // nil: the boot CPU
}

// Messages is how many interrupts the device can raise beside the one that Wait is about: 0 over memory-mapped registers, which have one line.
func (d *Device) Messages() int { return max(d.t.messages()-1, 0) }

// Interrupt takes a further message and sends it to a CPU (0 is the boot CPU); to the boot CPU where somebody else holds that one. For queues that are made
// later.
func (d *Device) Interrupt(holder string, cpu int) (*Interrupt, error) {
	if len(d.extra) >= d.Messages() {
		return nil, &DeviceError{d.name, "it has " + decimal(d.Messages()) + " messages beside its first, and all are in use"}
	}
	v, err := exo.TakeVector(holder)
	if err != nil {
		return nil, err
	}
	in := &Interrupt{message: uint16(len(d.extra) + 1), v: v}
	if cpu > 0 {
		in.cpu, _ = exo.TakeCPU(holder, cpu)
	}
	if err = d.t.bind(int(in.message), v, in.cpu); err != nil && in.cpu != nil {
		in.cpu.Release() // it is out of a message's reach
		in.cpu = nil
		err = d.t.bind(int(in.message), v, nil)
	}
	if err != nil {
		in.release()
		return nil, err
	}
	d.extra = append(d.extra, in)
	return in, nil
}

// Wait parks until the message has come since the last Wait, or the deadline passes.
func (in *Interrupt) Wait(deadline int64) (fired bool, err error) {
	n, err := in.v.Wait(deadline)
	return n != 0, err
}

// Wake makes a Wait return as if the message had come: the one under way, or else the next one.
func (in *Interrupt) Wake() { in.v.Wake() }

func (in *Interrupt) release() {
	in.v.Release()
	if in.cpu != nil {
		in.cpu.Release()
	}
}
