// Package stepcount counts the instructions that a program executes natively before it reaches an address, by
// single-stepping all of its threads with ptrace(2).
//
// The count is of user instructions; what the kernel does for the program is not in it. Each iteration of a REP is
// one, as in QEMU. The program is held on one CPU, so that a Go program finds one CPU and starts as it would on
// a machine with one.
package stepcount
