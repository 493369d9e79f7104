// Package peer holds libos/net against another TCP/IP stack, gVisor's netstack, over a wire in memory. It is a module of its own: nothing that it needs
// reaches anything else.
package peer
