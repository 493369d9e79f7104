// Package socket is the socket families of programs: AF_INET and AF_INET6 over package inet's endpoints, AF_UNIX inside the image, and AF_NETLINK as far
// as package net asks it for the interfaces.
// Importing it registers them with libos/posix; mkimage links it into programs that use sockets.
//
// # AF_UNIX
//
// Streams, packets in sequence and datagrams between sockets of the one program, as unix(7) has them: abstract names and autobind, backlog, shutdown,
// SCM_RIGHTS, SO_PASSCRED and SO_PEERCRED (process 1, user 0: there is no other), pairs. Bytes lie in a ring that the receiving socket has
// and the sender's SO_SNDBUF limits: a write copies once into it, a read once out of it, and nothing is allocated once it has grown.
//
// A path as a name is a file where libos/posix/files is linked, and stays until it is unlinked. Without it a path works between sockets, but there is nothing for
// os.Stat to see, and the name ends with its socket.
//
// Not here, of AF_UNIX: MSG_OOB, SO_PEEK_OFF, SO_PASSSEC, SO_PEERPIDFD; collecting sockets that are only held by each other's unread SCM_RIGHTS messages.
//
// # Locks
//
// Each unix socket has a mutex. Who needs two takes that of the older socket first (lockBoth). The table of names has one of its own, under which no other is
// taken. Watchers are told with the mutex held, as posix.Watchers wants it.
package socket
