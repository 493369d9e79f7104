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
// Not here yet: IPv6 (Input drops it, counted), IGMP's reports (groups can be joined and are received where the network floods them), forwarding (nor will it be),
// RFC 5227's probing before an address is used (it is announced and defended).
package ip
