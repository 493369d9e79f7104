package tcp

import "time"

// Stats count what happened on a connection.
type Stats struct {
	SegmentsIn, SegmentsOut uint64
	BytesIn, BytesOut       uint64 // of the stream, each once
	CopiedIn, CopiedOut     uint64 // bytes that Read and WriteCopy copied
	Resent                  uint64 // bytes
	Losses                  uint64 // recoveries
	Timeouts                uint64 // connections given up
	TailProbes              uint64
	WindowProbes            uint64
	Challenges              uint64
	Marks                   uint64 // reactions to ECN
	DSACKs                  uint64
	Duplicates              uint64 // segments that came with what was there
	OutOfOrder              uint64
	OldTimestamps           uint64
	Unacceptable            uint64
	NoMemory                uint64 // segments dropped because the data held on to too much
	Holes                   uint64 // segments dropped because they would have made one hole too many
	Spurious                uint64 // of the recoveries, such as began with a timeout that came for nothing
}

// counts are a connection's own Stats: what is rare has 32 bits.
type counts struct {
	SegmentsIn, SegmentsOut uint64
	BytesIn, BytesOut       uint64
	CopiedIn, CopiedOut     uint64
	Resent                  uint64

	Losses, Timeouts, TailProbes, WindowProbes, Challenges, Marks, DSACKs uint32
	Duplicates, OutOfOrder, OldTimestamps, Unacceptable, NoMemory, Holes  uint32
	Spurious                                                              uint32
}

func (s *counts) stats() Stats {
	return Stats{
		SegmentsIn: s.SegmentsIn, SegmentsOut: s.SegmentsOut, BytesIn: s.BytesIn, BytesOut: s.BytesOut, CopiedIn: s.CopiedIn, CopiedOut: s.CopiedOut,
		Resent: s.Resent, Losses: uint64(s.Losses), Timeouts: uint64(s.Timeouts), TailProbes: uint64(s.TailProbes), WindowProbes: uint64(s.WindowProbes),
		Challenges: uint64(s.Challenges), Marks: uint64(s.Marks), DSACKs: uint64(s.DSACKs), Duplicates: uint64(s.Duplicates), OutOfOrder: uint64(s.OutOfOrder),
		OldTimestamps: uint64(s.OldTimestamps), Unacceptable: uint64(s.Unacceptable), NoMemory: uint64(s.NoMemory), Holes: uint64(s.Holes),
		Spurious: uint64(s.Spurious),
	}
}

// Add adds another connection's counts.
func (s *Stats) Add(o *Stats) {
	s.SegmentsIn += o.SegmentsIn
	s.SegmentsOut += o.SegmentsOut
	s.BytesIn += o.BytesIn
	s.BytesOut += o.BytesOut
	s.CopiedIn += o.CopiedIn
	s.CopiedOut += o.CopiedOut
	s.Resent += o.Resent
	s.Losses += o.Losses
	s.Spurious += o.Spurious
	s.Timeouts += o.Timeouts
	s.TailProbes += o.TailProbes
	s.WindowProbes += o.WindowProbes
	s.Challenges += o.Challenges
	s.Marks += o.Marks
	s.DSACKs += o.DSACKs
	s.Duplicates += o.Duplicates
	s.OutOfOrder += o.OutOfOrder
	s.OldTimestamps += o.OldTimestamps
	s.Unacceptable += o.Unacceptable
	s.NoMemory += o.NoMemory
	s.Holes += o.Holes
}

// Info is what TCP_INFO tells.
type Info struct {
	State          State
	Congestion     string
	RTO, RTT       time.Duration
	RTTVar, MinRTT time.Duration
	RecvRTT        time.Duration // as the receiver sees it; 0: not known
	MSS, RcvMSS    int
	Window         int // congestion window, bytes
	Threshold      int // slow start threshold, bytes
	InFlight       int // bytes
	Unacked        int // bytes
	Sacked, Lost   int // bytes of these: the peer has said that it has them, and that count as lost
	SendQueue      int // bytes written and not acknowledged
	RecvQueue      int // bytes come and not read
	PeerWindow     int
	RecvBuffer     int
	SndScale       uint8
	RcvScale       uint8
	SACK           bool
	Timestamps     bool
	ECN            bool
	Recovering     bool
	Backoff        int
	MaxRate        uint64 // as SetMaxRate had it; 0: nothing bounds it
	Stats          Stats
}

// Info describes the connection as it stands.
func (c *Conn) Info() Info {
	rate := uint64(0)
	if c.pace != nil {
		rate = c.pace.rate
	}
	return Info{
		State: c.state, Congestion: c.cc.Name(),
		RTO: c.rtt.timeout(), RTT: c.rtt.srtt, RTTVar: c.rtt.rttvar, MinRTT: c.rtt.least.get(),
		MSS: c.mss, RcvMSS: int(c.rcvMSS), Window: c.cc.Window(), Threshold: c.cc.Threshold(),
		RecvRTT: c.tune.rtt, Sacked: c.board.sacked, Lost: c.board.lost, InFlight: c.pipe(), Unacked: c.board.outstanding(), SendQueue: c.out.Len(), RecvQueue: c.in.Len(),
		PeerWindow: c.sndWnd, RecvBuffer: int(c.tune.size), SndScale: c.sndScale, RcvScale: c.rcvScale,
		SACK: c.sackOK, Timestamps: c.tsOK, ECN: c.ecnOK, Recovering: c.rec.on, Backoff: int(c.rtt.backoff), MaxRate: rate, Stats: c.stats.stats(),
	}
}
