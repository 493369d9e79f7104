package exo

// HeldError says that a resource, or a part of it, belongs to someone else. The request changed nothing.
type HeldError struct {
	Space  string // what kind of name it is: "MMIO", "port", "PCI function", ...
	Lo, Hi uint64 // what was asked for, both included
	Holder string // who has it
	At, To uint64 // the part of the holder's range, both included
}

func (e *HeldError) Error() string {
	return "exo: " + e.Space + " " + span(e.Lo, e.Hi) + " overlaps " + span(e.At, e.To) +
		" held by " + e.Holder + ": that holder must release it first"
}

// RangeError says that a name lies outside what the machine has, or what the capability gives.
type RangeError struct {
	Space      string
	Lo, Hi     uint64 // what was asked for, both included
	Have, Last uint64 // what there is, both included
	Why        string
}

func (e *RangeError) Error() string {
	s := "exo: " + e.Space + " " + span(e.Lo, e.Hi) + " is outside " + span(e.Have, e.Last)
	if e.Why != "" {
		s += ": " + e.Why
	}
	return s
}

// ExhaustedError says that the machine has no more of a resource.
type ExhaustedError struct {
	Space string
	Want  uint64
	Why   string
}

func (e *ExhaustedError) Error() string {
	return "exo: no " + hex(e.Want) + " more of " + e.Space + ": " + e.Why
}

// ReleasedError is what a call on a released capability returns (or panics with, where the call has no error result).
type ReleasedError struct{ Space string }

func (e *ReleasedError) Error() string {
	return "exo: " + e.Space + " capability used after Release: take the resource again"
}

// RevokedError is what a call on a capability, or on a resource bound from one, returns or panics with after it was taken back.
type RevokedError struct {
	Space string
	By    string // the holder of the capability that it was taken back to
	Why   string
	When  int64 // as Now

	answer string // Repossession.Answer
}

func (e *RevokedError) Error() string {
	return "exo: " + e.Space + " capability was taken back by " + e.By + " (" + e.Why + ") " + decimal(uint64(e.When)) +
		" ns after boot: ask " + e.By + " for another, and see Repossessions"
}

// RightsError says that a capability does not give what a call needs. The call changed nothing.
type RightsError struct {
	Space  string
	Holder string // of the capability
	Want   Rights
	Have   Rights
	Why    string // where it is not about the rights
}

func (e *RightsError) Error() string {
	if e.Why != "" {
		return "exo: " + e.Space + ": " + e.Why
	}
	return "exo: " + e.Space + " capability of " + e.Holder + " gives the rights " + e.Have.String() + ", and this needs " +
		e.Want.String() + ": ask for one that gives them"
}

// EmptyError says that a zero Cap, or a zero value of a resource's type, was used.
type EmptyError struct{}

func (*EmptyError) Error() string {
	return "exo: the zero capability holds nothing: take a resource, or derive a capability from one that exo gave"
}

// BusyError says that a resource for one user at a time has one already.
type BusyError struct{ Thing string }

func (e *BusyError) Error() string {
	return "exo: " + e.Thing + " has a goroutine waiting already: one at a time"
}

// MachineError says what the machine lacks or what its tables say wrongly.
type MachineError struct {
	Thing string // "ACPI table", "PCI function 00:03.0", ...
	Path  string // of an ACPI object: four bytes a segment
	At    uint64 // address or offset, 0 where there is none
	Why   string // what is wrong and what to do
}

func (e *MachineError) Error() string {
	s := "exo: " + e.Thing
	if e.Path != "" {
		s += " " + showPath(e.Path)
	}
	if e.At != 0 {
		s += " at " + hex(e.At)
	}
	return s + ": " + e.Why
}

// The functions below make errors out of line: every image carries these paths, and few ever take them.

//go:noinline
func fault(thing, why string) error { return &MachineError{Thing: thing, Why: why} }

//go:noinline
func faultAt(thing string, at uint64, why string) error {
	return &MachineError{Thing: thing, At: at, Why: why}
}

//go:noinline
func faultIn(thing, path string, at int, why string) error {
	return &MachineError{Thing: thing, Path: path, At: uint64(at), Why: why}
}

//go:noinline
func outside(space string, lo, hi, have, last uint64, why string) error {
	return &RangeError{Space: space, Lo: lo, Hi: hi, Have: have, Last: last, Why: why}
}

//go:noinline
func released(space string) error { return &ReleasedError{Space: space} }

// The formatting below is by hand because exo is linked into every image and package fmt is not.

//go:noinline
func span(lo, hi uint64) string {
	if lo == hi {
		return hex(lo)
	}
	return hex(lo) + "-" + hex(hi)
}

//go:noinline
func hex(v uint64) string {
	const digits = "0123456789abcdef"
	var b [18]byte
	i := len(b)
	for {
		i--
		b[i] = digits[v&15]
		v >>= 4
		if v == 0 {
			break
		}
	}
	i--
	b[i] = 'x'
	i--
	b[i] = '0'
	return string(b[i:])
}

func decimal(v uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + v%10)
		v /= 10
		if v == 0 {
			return string(b[i:])
		}
	}
}
