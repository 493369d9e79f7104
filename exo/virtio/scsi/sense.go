package scsi

import "github.com/hardtack-os/hardtack/exo/disk"

// Responses of the device: VIRTIO 1.2, 5.6.6.1, VIRTIO_SCSI_S_*.
const (
	respOK           = 0
	respAborted      = 2
	respBadTarget    = 3
	respReset        = 4
	respBusy         = 5
	respIncorrectLUN = 12
	respNone         = 0xff // ours: the device has written none
)

// Status codes: SAM-5, 5.3.1.
const (
	statusGood        = 0x00
	statusCheck       = 0x02 // there is sense data
	statusCondition   = 0x04
	statusBusy        = 0x08
	statusReservation = 0x18
	statusFull        = 0x28
	statusAborted     = 0x40
)

// Sense keys: SPC-4, 4.5.6.
const (
	keyNone      = 0x0
	keyRecovered = 0x1
	keyNotReady  = 0x2
	keyMedium    = 0x3
	keyHardware  = 0x4
	keyIllegal   = 0x5
	keyAttention = 0x6
	keyProtect   = 0x7
	keyAborted   = 0xb
)

// Additional sense codes: SPC-4, annex D.
const (
	ascNotReady   = 0x04 // with qualifier 1: it is in process of becoming ready
	ascOpcode     = 0x20 // INVALID COMMAND OPERATION CODE
	ascField      = 0x24 // INVALID FIELD IN CDB
	ascNoUnit     = 0x25 // LOGICAL UNIT NOT SUPPORTED
	ascChange     = 0x28 // NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED
	ascReset      = 0x29 // POWER ON, RESET, OR BUS DEVICE RESET OCCURRED
	ascParameters = 0x2a // with qualifier 9: CAPACITY DATA HAS CHANGED
)

// A sense is what sense data says.
type sense struct{ key, asc, ascq byte }

// readSense reads sense data of either format (SPC-4, 4.5.2 and 4.5.3); what is cut short, or none, has no codes. A deferred error (4.5.5) is about a command before, which had ended well; this one was not begun.
func readSense(b []byte) (s sense, deferred bool) {
	at := func(i int) byte {
		if i < len(b) {
			return b[i]
		}
		return 0
	}
	switch code := at(0) & 0x7f; code {
	case 0x70, 0x71:
		return sense{at(2) & 15, at(12), at(13)}, code == 0x71
	case 0x72, 0x73:
		return sense{at(1) & 15, at(2), at(3)}, code == 0x73
	}
	return sense{key: keyHardware}, false
}

func (s sense) String() string {
	text := "sense key " + hex(s.key)
	switch s.key {
	case keyNotReady:
		text = "it is not ready"
	case keyMedium:
		text = "medium error"
	case keyHardware:
		text = "hardware error"
	case keyIllegal:
		text = "illegal request"
	case keyProtect:
		text = "data protection"
	case keyAttention:
		text = "unit attention"
	case keyAborted:
		text = "it aborts the command"
	}
	return text + " (" + hex(s.asc) + "/" + hex(s.ascq) + ")"
}

func hex(b byte) string {
	const digits = "0123456789abcdef"
	return digits[b>>4:b>>4+1] + digits[b&15:b&15+1]
}

// A verdict is what becomes of a command that the device is through with.
type verdict int

const (
	ends  verdict = iota // it has ended, well or with an error
	again                // it is given again
	later                // it is given again when the device had some time
)

// maxTries is how often a command is given again at once: a unit may have several unit attentions to tell.
const maxTries = 8

// judge says how a command ended: VIRTIO 1.2, 5.6.6.1.2. An absentError says that there is no such unit.
//
// A flush that the unit began and did not end well is not given again, though Linux does that: what it could not write may have left the unit's cache with it, as it leaves the page cache of a host, and then the second flush finds nothing to write and
// says that all is well. Nor is any later flush of that unit believed (mistrust): what it stands for may be in the same gap, whoever wrote it. Only what says that the unit did not begin is answered by the same flush once more: a unit attention (SAM-5,
// 5.14), a deferred error (SPC-4, 4.5.5), BUSY and TASK SET FULL (SAM-5, 5.3.1), and a unit that is becoming ready. Reads and writes may be given again whatever ended them: they bring all of their data along.
func (s *slot) judge(name string, written uint32) (v verdict, err error) {
	if v, err = s.outcome(name, written); v == ends && err != nil && s.flushes() {
		s.d.mistrust(disk.FailedFlush)
	}
	return v, err
}

func (s *slot) outcome(name string, written uint32) (v verdict, err error) {
	b := s.mem[responseAt:][:response]
	fail := func(why string) (verdict, error) { return ends, s.failed(name, why) }
	repeat := func(why string) (verdict, error) { // what was not begun
		if s.tries < maxTries {
			return again, nil
		}
		return fail(why + ", again and again")
	}
	redo := func(why string) (verdict, error) { // what may have been begun
		if s.flushes() {
			return fail(why)
		}
		return repeat(why)
	}
	switch b[11] {
	case respOK:
	case respAborted, respReset:
		if b[11] == respReset {
			s.owner().mistrust(wasReset)
		}
		if s.aborting {
			return fail("it was not finished in time, and was aborted")
		}
		return redo("it was aborted")
	case respBadTarget, respIncorrectLUN:
		return ends, &absentError{name}
	case respBusy: // "failed", says 5.6.6.1.2, not that it was not begun: the status of that name is another
		if s.flushes() {
			return fail("the host was busy, and does not say whether it began")
		}
		return later, nil
	case respNone:
		return fail("the device ended it without a response")
	default:
		return fail("the device says response " + hex(b[11]))
	}
	switch b[10] {
	case statusGood, statusCondition:
		return ends, s.complete(name, written)
	case statusBusy, statusFull:
		return later, nil
	case statusReservation:
		return fail("the unit is reserved by somebody else")
	case statusAborted:
		return redo("it was aborted")
	case statusCheck:
	default:
		return fail("the unit says status " + hex(b[10]))
	}
	x, deferred := readSense(b[12:][:min(le.Uint32(b), response-12)])
	d := s.owner()
	d.attend(x)
	if deferred && d != nil && d.info.Cached { // without a cache nothing is late: it is the command's own
		if x.key > keyRecovered {
			d.mistrust("it said too late that it could not write: " + x.String())
		}
		return repeat(x.String())
	}
	switch x.key {
	case keyNone, keyRecovered:
		return ends, s.complete(name, written)
	case keyAttention:
		return repeat(x.String())
	case keyAborted:
		return redo(x.String())
	case keyNotReady:
		if x.asc == ascNotReady && x.ascq == 1 {
			return later, nil
		}
	case keyProtect:
		return ends, &disk.ReadOnlyError{Disk: name}
	case keyIllegal:
		switch {
		case x.asc == ascNoUnit:
			return ends, &absentError{name}
		case x.asc == ascOpcode, x.asc == ascField && s.op() != disk.Read && s.op() != disk.Write:
			return ends, &disk.UnsupportedError{Disk: name, Op: s.op()}
		}
	}
	return fail(x.String())
}

// flushes says whether it is somebody's flush. The one by which a unit is asked whether it knows the command is not: nothing was written yet.
func (s *slot) flushes() bool { return s.r != nil && s.r.Op == disk.Flush }

// owner is who is to hear what is said of the unit; nil while it is looked for.
func (s *slot) owner() *Disk {
	if s.ask != nil {
		return s.ask.of
	}
	return s.d
}

// complete is nil for a command that moved all of its data. What the device says it did not write was not read, whatever it says besides (VIRTIO 1.2, 2.7.8.2).
func (s *slot) complete(name string, written uint32) error {
	residual := le.Uint32(s.mem[responseAt+4:])
	switch {
	case s.ask != nil:
		s.ask.got = max(0, len(s.ask.b)-int(min(residual, uint32(len(s.ask.b)))))
	case (s.r.Op == disk.Read || s.r.Op == disk.Write) && residual != 0, s.r.Op == disk.Read && written < s.r.Size():
		return s.failed(name, "it moved fewer bytes than were asked for")
	}
	return nil
}

// op is what it does, for errors.
func (s *slot) op() disk.Op {
	if s.r == nil {
		return disk.Identify
	}
	return s.r.Op
}

func (s *slot) failed(name, why string) error {
	e := &disk.IOError{Disk: name, Op: s.op(), Why: why}
	if s.r != nil {
		e.Sector = uint64(s.r.Sector)
	}
	return e
}

// An absentError says that there is no unit at an address.
type absentError struct{ name string }

func (e *absentError) Error() string { return "virtio-scsi: " + e.name + ": there is no such unit" }
