package flow

// OverlapError says that a filter could not be claimed beside another of the same rank. The claim changed nothing.
type OverlapError struct {
	NIC     string
	Holder  string // who asked
	Other   string // who holds the other filter
	Queue   int    // where the other's packets go
	Rank    uint32
	Witness []byte // a packet that both filters accept; nil if none was found
	Why     string // if there is no witness: why it is not proven that there is none
}

func (e *OverlapError) Error() string {
	s := "flow: " + e.NIC + ": the filter of " + e.Holder + " and that of " + e.Other + " (queue " + decimal(uint64(e.Queue)) + "), both of rank " + decimal(uint64(e.Rank))
	if e.Witness != nil {
		s += ", accept the same packet of " + decimal(uint64(len(e.Witness))) + " bytes, " + dump(e.Witness)
	} else {
		s += ", cannot be shown to accept no packet in common: " + e.Why
	}
	return s + "; narrow one, or give the one that is to come after the other a larger rank"
}

// The formatting is by hand because images pay for package fmt.

//go:noinline
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

// dump is a packet in hexadecimal, without the zeroes that it ends in, and no more of it than a line holds.
//
//go:noinline
func dump(packet []byte) string {
	const most = 64
	end := len(packet)
	for end > 0 && packet[end-1] == 0 {
		end--
	}
	s := make([]byte, 0, 2*most)
	for _, c := range packet[:min(end, most)] {
		s = append(s, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
	}
	switch {
	case end > most:
		return string(s) + "..."
	case end == 0:
		return "all 0"
	case end < len(packet):
		return string(s) + " and zeroes"
	}
	return string(s)
}
