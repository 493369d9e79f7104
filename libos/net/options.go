package inet

import (
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tcp"
)

// TCPOptions are what can be set of a connection, or of a listener for its connections.
type TCPOptions struct {
	Socket     tcp.SocketOptions
	TTL, TOS   int // 0: the default
	MSS        int // TCP_MAXSEG; 0: as the path has it
	SendBuffer int // bytes; 0: they grow as they are used
	RecvBuffer int
	Congestion string // "cubic" or "reno"; "": the first

	MaxRate    uint64        // bytes of payload a second that are sent at most; 0: any
	SynRetries int           // SYNs that are sent again before connecting fails; 0: the default
	FinTimeout time.Duration // how long a closed connection waits for the peer's FIN: 0: FinTimeout, below 0: not at all
}

// DefaultTCPOptions are Linux's.
func DefaultTCPOptions() TCPOptions {
	return TCPOptions{Socket: tcp.Defaults().Options}
}

// congestion is the control of a name; nil: there is none such.
func congestion(name string) func() tcp.Congestion {
	switch name {
	case "", "cubic":
		return tcp.Cubic
	case "reno":
		return tcp.NewReno
	}
	return nil
}

// HasCongestion tells whether there is a control of this name.
func HasCongestion(name string) bool { return name != "" && congestion(name) != nil }

// FinTimeout is how long a closed connection waits for the peer's FIN where nothing else was said: tcp_fin_timeout of Linux.
const FinTimeout = time.Minute

func (o *TCPOptions) finTimeout() time.Duration {
	switch {
	case o.FinTimeout == 0:
		return FinTimeout
	case o.FinTimeout < 0:
		return 1
	}
	return o.FinTimeout
}
