// Package virtio is the transport that virtio drivers stand on: finding a device, negotiating with it, and its queues.
//
// It follows VIRTIO 1.2: split virtqueues (2.7) with event indexes and indirect descriptors, PCI (4.1) and memory-mapped registers (4.2), both in their modern form only
// (a device that does not offer VERSION_1 is refused). Over PCI queues may have interrupts of their own. It knows no device type; drivers are packages of their own, linked
// when something imports them.
//
// The device is not trusted to keep the rules. Everything it writes is checked before it is used: chains are kept
// in private memory, so what a device does to the descriptor table changes nothing; an entry of the used ring that
// names no outstanding chain, or claims more bytes than the chain may take, breaks the queue with a *BrokenError and nothing more
// is taken from it. What a device may still do is write to memory it was told of until it is reset; where it does not
// confirm a reset, its memory is kept out of use for ever.
//
// A Queue is for one goroutine at a time; Device calls may come from any. Add, Kick and Next allocate nothing, take no lock, and reach the
// device without an interface call.
package virtio
