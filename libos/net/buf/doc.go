// Package buf is the memory of packets: blocks that a network device reads and writes, shared by counted references.
//
// What a device has received reaches the program in the blocks it was received into, and what a program hands over is sent from the memory
// where it lies. Nothing between them copies: it passes references on. A [Block] is physically contiguous memory; a [Ref] is some bytes
// of one and counts as one of its references; a [Queue] is a stream of bytes made of Refs.
//
// A Ref is owned. Passing it to a function that says that it takes it over passes the duty to release it once. Clone makes a second one. When
// the last Ref of a block is released the block goes back where it came from: to its [Pool], or, if the program lent it, to the program.
// Bytes that two Refs have in common are not to be written by either.
//
// Refs and Queues are values without locks: one goroutine at a time. Reference counts are atomic, so different Refs of one block may be with
// different goroutines. A Pool is for any number of goroutines.
//
// It knows no protocol and no device.
package buf
