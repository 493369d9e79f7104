// Package ip is the network layer: addresses, routes, neighbours, fragments and ICMP of a host with any number of interfaces. A [Host] is told the time and
// given frames; it hands transport packets up, answers what is its own business itself, and sends frames to devices.
//
//	in:  verdict := h.Input(now, iface, queue, &frame, &packet)
//	out: path, err := h.Path(dst, …) once, then h.Output(now, &path, …) for each packet
//	h.Tick(now) when h.Deadline() is due
//
// A Host is for any number of goroutines. It has one lock, which is not held while a device sends, and which Output does not take as long as the path's
// neighbour is known and nothing about routes has changed. No method parks; they allocate only where a table grows.
//
// What strangers can fill is bounded: neighbours, frames that wait for one, fragments, path MTUs, and the rate of answers. Each drop is counted by its reason.
//
// IPv6 has the headers of RFC 8200, ICMPv6 of RFC 4443, Neighbour Discovery of RFC 4861 with autoconfiguration by RFC 4862, name servers by RFC 8106, path MTUs by RFC 8201
// and sources by RFC 6724; groups are told of by IGMPv3 and MLDv2 and their older versions.
//
// Not here yet: forwarding (nor will it be), sources of groups (RFC 4607), DHCPv6, privacy addresses (RFC 8981), RFC 5227's probing before an address of IPv4 is used (it is
// announced and defended).
package ip
