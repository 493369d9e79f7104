package scsi

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// The control queue (VIRTIO 1.2, 5.6.6.2), by which commands are aborted, and the event queue (5.6.6.3), by which the device says what has changed. Both belong to the host's goroutine.

const (
	sideSize  = 16 // descriptors
	eventSize = 16 // le32 event, lun[8], le32 reason
	abortsAt  = 1024
	abortSize = 64
	tmfSize   = 24 // le32 type, le32 subtype, lun[8], le64 id; then the response byte

	// VIRTIO_SCSI_T_TMF is type 0, and VIRTIO_SCSI_T_TMF_ABORT_TASK subtype 0.

	eventMissed    = 1 << 31 // VIRTIO_SCSI_T_EVENTS_MISSED
	eventTransport = 1       // VIRTIO_SCSI_T_TRANSPORT_RESET
	eventParam     = 3       // VIRTIO_SCSI_T_PARAM_CHANGE

	reasonReset    = 0                       // VIRTIO_SCSI_EVT_RESET_HARD
	reasonRemoved  = 2                       // VIRTIO_SCSI_EVT_RESET_REMOVED
	reasonCapacity = ascParameters | 0x09<<8 // CAPACITY DATA HAS CHANGED: the sense codes, the first in the lower byte
)

// An abort is a place for one task management function.
type abort struct {
	busy bool
	mem  []byte
	at   exo.Phys
}

// sideQueues sets both queues up; the device has all events at once.
func (h *host) sideQueues() (err error) {
	if h.control, err = h.dev.Queue(holder, controlQueue, sideSize); err != nil {
		return err
	}
	if h.events, err = h.dev.Queue(holder, eventQueue, sideSize); err != nil {
		return err
	}
	b := h.mem.Bytes()
	for i := range h.control.Size() / 2 {
		off := abortsAt + i*abortSize
		h.aborts = append(h.aborts, abort{mem: b[off:][:abortSize], at: h.mem.Base() + exo.Phys(off)})
	}
	for i := range h.events.Size() {
		h.offer(uint64(i))
	}
	return nil
}

// offer gives the device room for an event.
func (h *host) offer(i uint64) {
	h.events.Add(i, virtio.Buffer{Addr: h.mem.Base() + exo.Phys(i*eventSize), Len: eventSize, Write: true})
}

// kickSide tells the device of what was added.
func (h *host) kickSide() {
	h.control.Kick()
	h.events.Kick()
}

// look takes what has come by both queues. found says whether anything has.
func (h *host) look() (found bool) {
	for {
		token, _, ok := h.control.Next()
		if !ok {
			break
		}
		found, h.aborts[token].busy = true, false // what it did is seen by what becomes of the command
	}
	for {
		token, n, ok := h.events.Next()
		if !ok {
			break
		}
		found = true
		b := h.mem.Bytes()[token*eventSize:][:eventSize]
		if n >= eventSize {
			h.event(le.Uint32(b), address{target: b[5], lun: be.Uint16(b[6:]) & 0x3fff}, le.Uint32(b[12:]))
		}
		clear(b)
		h.offer(token)
	}
	return found
}

// event is what the device says by itself. That it has lost events before comes with one that is as good as any other (VIRTIO 1.2, 5.6.6.3.2): each unit is asked how large it is, and tells that command of a reset if there was one.
func (h *host) event(what uint32, of address, reason uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.early = h.early || h.units == nil
	for _, d := range h.units {
		if what&eventMissed != 0 {
			d.refresh()
		}
		switch what := what &^ eventMissed; {
		case d.at != of:
		case what == eventTransport && reason == reasonRemoved:
			d.giveUp(&DeviceError{d.info.Name, "the unit was removed"})
		case what == eventTransport && reason == reasonReset:
			d.mistrust(wasReset)
		case what == eventParam && reason == reasonCapacity:
			d.refresh()
		}
	}
}

// abort asks for the end of a command. It says false where as many are being ended as can be.
func (h *host) abort(s *slot) bool {
	for i := range h.aborts {
		a := &h.aborts[i]
		if a.busy {
			continue
		}
		clear(a.mem)
		s.to.put(a.mem[8:])
		le.PutUint64(a.mem[16:], s.id)
		a.busy = h.control.Add(uint64(i), virtio.Buffer{Addr: a.at, Len: tmfSize}, virtio.Buffer{Addr: a.at + tmfSize, Len: 1, Write: true})
		return a.busy
	}
	return false
}
