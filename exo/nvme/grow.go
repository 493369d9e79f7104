package nvme

import "github.com/hardtack-os/hardtack/exo"

// A controller that can says when a namespace changes: an asynchronous event request (Base, 5.2) waits with it until then. What has changed is a log page, whose reading lets the next event come; how large the namespace is
// by then it is asked again. These commands follow each other on the admin queue, one at a time.

// await gives the controller a request for an event. The disk's goroutine does, or nobody else knows the disk.
func (d *Disk) await() {
	if d.watching {
		d.send(command{op: adminAsyncEvent})
	}
}

func (d *Disk) send(c command) {
	d.asked, d.askedAt = uint16(c.op), d.now()
	d.submit(d.admin, d.asked, c)
	if c.op != adminAsyncEvent { // that may wait for ever
		d.arm(d.patience)
	}
}

// attend takes what the admin queue has, and says whether there was anything. The registers may be taken back meanwhile: the caller sees to that.
func (d *Disk) attend() (found bool, why error) {
	for {
		id, status, result, ok := d.next(d.admin)
		if !ok {
			return found, nil
		}
		found = true
		if id != d.asked || id == 0 {
			return found, d.fault("it ends admin command " + decimal(uint64(id)) + ", which it was not given")
		}
		d.asked = 0
		switch id {
		case adminAsyncEvent:
			if status != 0 { // it has no events after all
				d.watching = false
				break
			}
			page, n := result>>16&0xff, uint32(512) // the log page that tells more of the event
			if page == logNamespaces {
				n = exo.PageSize
			}
			d.send(command{op: adminLogPage, nsid: ^uint32(0), pointer: whole(d.scratch.Base()), dw10: page | (n/4-1)<<16})
		case adminLogPage:
			d.send(command{op: adminIdentify, nsid: d.nsid, pointer: whole(d.scratch.Base()), dw10: cnsNamespace})
		case adminIdentify:
			size, lbaf := namespace(d.scratch.Bytes())
			if status == 0 && lbaf>>16&0xff == uint32(d.shift+9) && size <= 1<<62>>d.shift {
				d.Grow(d.space, size<<d.shift)
			}
			d.await()
		}
	}
}
