package inet

// Events is a set of what can become true of an endpoint.
type Events uint8

// Conditions. Each is an edge where an endpoint tells it, and a level where Ready is asked.
const (
	Readable Events = 1 << iota // there are bytes, a datagram, a connection to accept
	Writable                    // there is room again; a connection was made
	EOF                         // the other end, or this one, will send no more (read, and get 0)
	HangUp                      // neither way is open
	Failed                      // there is an error to be asked for
	Pressing                    // there are urgent data, of TCP
)

// A Hook is told of an endpoint's events, under the endpoint's lock: it may wake somebody, not call back. It is told of each new occurrence, not only
// of the first.
type Hook interface{ Happened(Events) }
