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

	Spurious   uint32 // of the recoveries, such as began with a timeout that came for nothing
	keepProbes int32  // since the peer was last heard
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
	Stats          Stats
}

// Info describes the connection as it stands.
func (c *Conn) Info() Info {
	return Info{
		State: c.state, Congestion: c.cc.Name(),
		RTO: c.rtt.timeout(), RTT: c.rtt.srtt, RTTVar: c.rtt.rttvar, MinRTT: c.rtt.least.get(),
		MSS: c.mss, RcvMSS: c.rcvMSS, Window: c.cc.Window(), Threshold: c.cc.Threshold(),
		RecvRTT: c.tune.rtt, Sacked: c.board.sacked, Lost: c.board.lost, InFlight: c.pipe(), Unacked: c.board.outstanding(), SendQueue: c.out.Len(), RecvQueue: c.in.Len(),
		PeerWindow: c.sndWnd, RecvBuffer: c.tune.size, SndScale: c.sndScale, RcvScale: c.rcvScale,
		SACK: c.sackOK, Timestamps: c.tsOK, ECN: c.ecnOK, Recovering: c.rec.on, Backoff: int(c.rtt.backoff), Stats: c.stats,
	}
}
