// Package peer holds libos/net against other TCP/IP stacks: gVisor's netstack, over a wire in memory, and Linux's, over a TAP device in a network namespace; and it sends a booted image
// frames of every bad kind, which gopacket makes. It is a module of its own: nothing that it needs
// reaches anything else.
package peer
