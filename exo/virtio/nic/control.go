package nic

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// Commands of the control queue: VIRTIO 1.2, 5.1.6.5. A Command is a class and what is asked of it.
type Command struct{ Class, Code uint8 }

// The commands that are used here, and their data.
var (
	Promiscuous   = Command{0, 0} // hear everything: 1 or 0 (5.1.6.5.1)
	AllMulticast  = Command{0, 1} // hear all groups: 1 or 0
	Table         = Command{1, 0} // hear these: le32 count and addresses, of stations, then of groups (5.1.6.5.2)
	AnnounceDone  = Command{3, 0} // addresses were announced (5.1.6.5.4)
	useQueuePairs = Command{4, 0} // le16 (5.1.6.5.5)
)

// MaxData is how many bytes of data a command may have.
const MaxData = exo.PageSize - 3

// control is the control queue: one command at a time.
type control struct {
	q    *virtio.Queue
	mem  *exo.Frames // class, code, data; the last byte is the card's answer
	busy bool
}

func openControl(d *virtio.Device, index int) (*control, error) {
	mem, err := exo.TakeFrames(holder, 1, 0)
	if err != nil {
		return nil, err
	}
	q, err := d.Queue(holder, index, 4)
	if err != nil {
		mem.Release()
		return nil, err
	}
	return &control{q: q, mem: mem}, nil
}

// Send begins a command. It says false where the card takes none, or is at another one still. One goroutine at a time calls Send and Answer.
func (n *NIC) Send(c Command, data []byte) bool {
	t := n.ctl
	if t == nil || t.busy || t.q.Err() != nil || len(data) > MaxData {
		return false
	}
	b := t.mem.Bytes()
	answer := len(b) - 1
	b[0], b[1], b[answer] = c.Class, c.Code, 0xff
	copy(b[2:], data)
	t.busy = t.q.Add(0,
		virtio.Buffer{Addr: t.mem.Base(), Len: uint32(2 + len(data))},
		virtio.Buffer{Addr: t.mem.Base() + exo.Phys(answer), Len: 1, Write: true})
	t.q.Interrupts(true)
	t.q.Kick()
	return t.busy
}

// Answer tells whether the command has ended, and whether the card did what it was told. A Wait returns when it has.
func (n *NIC) Answer() (ended, ok bool) {
	t := n.ctl
	if t == nil || !t.busy {
		return false, false
	}
	if _, _, done := t.q.Next(); !done {
		if t.q.Err() != nil {
			t.busy = false
		}
		return t.q.Err() != nil, false
	}
	t.busy = false
	b := t.mem.Bytes()
	return true, b[len(b)-1] == 0 // VIRTIO_NET_OK
}

// Patience is how long Start waits for the card's answer, in ns.
var Patience int64 = 1e9

// usePairs has the card use so many pairs. It waits for the answer; nobody else waits yet.
func (n *NIC) usePairs(pairs int) (answered, ok bool) {
	if !n.Send(useQueuePairs, le.AppendUint16(nil, uint16(pairs))) {
		return true, false // it takes no commands
	}
	for end := exo.Now() + Patience; ; {
		if ended, ok := n.Answer(); ended {
			return true, ok
		}
		if exo.Now() > end || n.Wait(end) != nil {
			return false, false
		}
	}
}
