// Package sock is the socket calls of Linux for whoever has sockets: it takes system calls apart, checks addresses, lengths and control messages, waits
// where a program asks to be blocked, and leaves the rest to a family.
//
// A family ([Register]) makes [Socket]s. These never wait: what cannot be done now is EAGAIN (EINPROGRESS for connect), and [posix.Watchers] are told
// when it can. So a family knows nothing of descriptors, of O_NONBLOCK, of the time-outs SO_RCVTIMEO and SO_SNDTIMEO, or of a caller's memory.
//
// It is linked by the families, not by libos/posix: a program without sockets pays nothing, and its socket calls give EAFNOSUPPORT.
//
// The calls follow their Linux manual pages (socket(2), send(2), recv(2), cmsg(3) ...) and, where these are silent, Linux itself: the tests
// make the same calls on the host's kernel. What is not there: SO_ATTACH_FILTER, splicing, MSG_ZEROCOPY (sendfile copies nothing where the file lends its bytes).
package sock
