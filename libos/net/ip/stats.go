package ip

// A Reason is why something was dropped, or another thing that is counted.
type Reason int

// The reasons.
const (
	BadEthernet Reason = iota // too short
	UnknownType               // no protocol that we speak
	NotOurMAC
	BadARP
	BadHeader    // lengths, version or checksum of the IP header
	Truncated    // shorter than it says
	Martian      // a source or destination that cannot be on a wire (RFC 1812, 5.3.7)
	SourceRouted // RFC 7126, 4.3 and 4.4
	NotForUs
	BadOption   // an option of IPv6 that is not to be skipped
	BadFragment // offsets and lengths that make no packet
	FragmentOverlap
	FragmentTimeout
	FragmentLimit
	Reassembled
	BadICMP
	ICMPLimited
	NoMemory
	NeighbourFailed // frames that waited for a neighbour that does not answer
	NeighbourLimit
	QueueFull // of a device
	TooManyPieces
	AddressConflict // somebody else uses our address (RFC 5227)
	PacketsIn
	PacketsOut
	FragmentsOut
	reasons
)

var reasonNames = [reasons]string{
	"bad ethernet header", "unknown ethertype", "other station's frame", "bad ARP packet", "bad IP header", "truncated packet", "martian address",
	"source routed", "not for us", "unknown option", "bad fragment", "overlapping fragment", "fragments timed out", "too many fragments", "reassembled", "bad ICMP message",
	"ICMP answers over the limit", "no memory", "neighbour does not answer", "too many neighbours", "transmit queue full", "too many pieces", "address conflict",
	"packets in", "packets out", "fragments out",
}

func (r Reason) String() string { return reasonNames[r] }

func (h *Host) count(r Reason) { h.stats[r].Add(1) }

// Count is how often something happened.
func (h *Host) Count(r Reason) uint64 { return h.stats[r].Load() }

// Counts calls f for each reason.
func (h *Host) Counts(f func(Reason, uint64)) {
	for r := range reasons {
		f(r, h.stats[r].Load())
	}
}
