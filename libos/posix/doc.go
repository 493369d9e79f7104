// Package posix is what a Linux program expects of a kernel, as plain Go: descriptors, pipes, eventfd, timerfd,
// epoll, poll, the console, clocks, identity and limits. It is to Hardtack what ExOS was to the exokernel: a library
// in the program's own address space that gives the familiar calls over what exo and the runtime's bottom half offer.
//
// # Doors
//
// Calls arrive in three ways (ARCHITECTURE.md):
//
//   - the typed door: std's own wrappers (syscall.read, internal/poll.writev ...) call the typed functions of this
//     package with real Go pointers, on the caller's goroutine; doors_unsafe.go lists them;
//   - the uintptr door: package syscall's Syscall family hands over to [Call] on another goroutine's stack, and
//     answers what neither blocks nor needs stack by callInPlace;
//   - the trap door: a SYSCALL instruction executed by somebody's assembly; the bottom half forwards it to [Call].
//
// # Layers
//
//	Call, serve           numbers to functions
//	read, fcntl, ...     typed functions on descriptor numbers
//	table, File          which number means which open description
//	Object               what is open: console, pipe end, eventfd, timerfd, epoll; files and sockets elsewhere
//	Watchers, queue      who wants to know that an object became ready, who sleeps until it does
//	machine_*.go         what this package needs of the machine: the hw functions
//
// # Waiting
//
// A call that must wait parks its goroutine; nothing here spins, polls a clock or holds a thread. A wait is never
// interrupted by a signal (there is no EINTR): Go programs install their handlers with SA_RESTART anyway.
//
// # Refusals
//
// There is one process, pid 1, user 0. fork, execve, ptrace, namespaces, System V IPC, and signalfd do not
// exist: such calls return ENOSYS. Until libos/fs or libos/net registers ([Mount], [RegisterSockets]) there is
// nothing to open but the root directory, and no socket family.
//
// The behaviour follows Linux's manual pages and, where these are silent, Linux itself: the tests run the same calls
// against the host's kernel and compare.
package posix
