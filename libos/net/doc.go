// Package inet is TCP/IP as a library of the program's own: a [Stack] is a host on its networks, with endpoints of UDP ([UDP]), TCP ([Listener],
// [Conn]) and the network layer itself ([Raw]). libos/net/socket serves Linux's socket calls over it; a program can use it directly.
//
// The protocols are next door, without clock, lock or goroutine: package tcp is the state machine of a connection, package ip the network layer. This package has
// what they lack: locks, timers, tables that say which endpoint a packet is for, and the goroutines that receive from devices, one a queue.
//
// # Waiting
//
// Methods called Try never wait: EAGAIN is told, and a [Hook] hears when it is worth trying again. [Stream], [Port] and [Packets] are for who would rather wait, as
// with package net.
//
// # Copies
//
// What a program writes is copied once into blocks that packets refer to until they are acknowledged, or not at all with [Conn.TryWriteBuf]; what it reads is copied once
// out of the blocks that it came in, or not at all with [Conn.TryReadBuf]. Everything else passes references. [Conn.Info] counts copied bytes.
//
// # Looking at it
//
// [Stack.Dump] writes what netstat would, [Stack.Dropped] what was dropped and why, [Conn.Info] all of one connection.
//
// # Locks
//
// In this order: an endpoint's mutex (of two, never both); a listener's, after that of one of its connections; the network layer's and the devices'; those of tables,
// ports, timers and the loopback queue, under which no other is taken. Hooks run under an endpoint's. What is sent to ourselves is delivered by Stack.flush,
// which is called without any.
package inet
