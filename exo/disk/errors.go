package disk

import "time"

// IOError says that a transfer failed. What it was to write may be on the disk in part, or not.
type IOError struct {
	Disk   string
	Op     Op
	Sector uint64
	Why    string
}

func (e *IOError) Error() string {
	return "disk: " + e.Disk + ": " + e.Op.String() + " at sector " + decimal(e.Sector) + ": " + e.Why
}

// GoneError says that the disk is there no more, and why. Transfers that were under way may have been done or not.
type GoneError struct {
	Disk string
	Why  error
	Held bool // the device did not stop: it may still write to the transfer's memory
}

func (e *GoneError) Error() string {
	s := "disk: " + e.Disk + " is gone: " + e.Why.Error()
	if e.Held {
		s += "; it did not stop, and may write to the memory of what was under way"
	}
	return s
}

func (e *GoneError) Unwrap() error { return e.Why }

// TimeoutError is why a disk is given up that does not answer.
type TimeoutError struct{ Waited time.Duration }

func (e *TimeoutError) Error() string {
	return "a transfer was not finished in " + e.Waited.String()
}

// ClosedError is why a disk is gone that was closed.
type ClosedError struct{}

func (*ClosedError) Error() string { return "it was closed" }

// ReadOnlyError says that the disk cannot be written to.
type ReadOnlyError struct{ Disk string }

func (e *ReadOnlyError) Error() string { return "disk: " + e.Disk + " is read-only" }

// UnsupportedError says that the disk does not know an operation.
type UnsupportedError struct {
	Disk string
	Op   Op
}

func (e *UnsupportedError) Error() string {
	return "disk: " + e.Disk + " has no " + e.Op.String()
}

// RequestError says that a request makes no sense for any disk like this one.
type RequestError struct {
	Op  Op
	Why string
}

func (e *RequestError) Error() string { return "disk: " + e.Op.String() + ": " + e.Why }

func decimal(v uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			return string(b[i:])
		}
	}
}
