// Package tcp is the Transmission Control Protocol (RFC 9293) as a state machine: a connection is a value that segments and time are
// given to and segments are asked of. It has no clock, no goroutine, no lock, no address and no checksum: whoever holds a [Conn] tells it
// what time it is, one call at a time, and puts the segments that [Conn.Next] gives into packets.
//
//	in:  c.Input(now, &segment)           when a segment has come
//	     c.Tick(now)                      when c.Deadline() is due
//	     c.Write…, c.Read…, c.Close…      what the program wants
//	out: for c.Next(now, &out) { send }   after any of these
//	     c.Events()                       what the program may want to know
//
// One file has one topic: seq (sequence numbers), segment (the header), rtt, congestion with newreno and cubic, scoreboard (what is on
// its way, by RFC 6675), rack (which of it is lost, by RFC 8985), recovery (how much may be sent meanwhile, RFC 9937), spurious (timeouts that came for nothing, RFC 3522 and 5682), reassembly, window
// (flow control), urgent, input, output, pacing, timer, pathmtu (black holes), listen (the queues of a listening port), cookie, isn.
//
// Data are [buf.Ref]s from end to end: Next refers to the bytes that the program wrote, Take hands over the blocks that they came in.
//
// RFC9293.md says of each MUST of the standard what keeps it and which test holds it.
//
// Not here yet: TCP Fast Open, MD5 and AO signatures.
package tcp
