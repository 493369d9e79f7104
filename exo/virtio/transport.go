package virtio

import "github.com/hardtack-os/hardtack/exo"

// causeConfig in what interrupted returns: the configuration has changed (VIRTIO 1.2, 4.2.2, InterruptStatus).
const causeConfig = 2

// A transport is how a device's registers are reached. Its calls configure; queues notify without it.
type transport interface {
	status() uint8
	setStatus(uint8)
	offered() uint64                       // device features
	accept(uint64)                         // driver features
	queueMax(i int) uint16                 // 0: there is no such queue
	enable(q *Queue) error                 // gives the queue's parts to the device and fills in how to notify
	generation() uint32                    // of the configuration (2.5)
	config() (*exo.MMIO, uintptr, uintptr) // registers, where in them, how many bytes
	interrupted() uint32                   // takes one reading of what the device says it raised an interrupt for, and confirms it
	messages() int                         // interrupts that it can raise by messages; 0: it has a line
	bind(i int, v *exo.Vector, cpu *exo.CPU) error
	cutOff() bool // its registers were taken back: says whether it can write to memory no more
	release()     // gives the capabilities back
}

// parts are the physical addresses of a queue's three parts.
func (q *Queue) parts() (desc, avail, used exo.Phys) {
	_, a, u := ringBytes(q.size)
	return q.mem.Base(), q.mem.Base() + exo.Phys(a), q.mem.Base() + exo.Phys(u)
}
