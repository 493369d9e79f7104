// Package vm gives a program's memory to the program: regions of its address space whose pages it brings in and puts out itself.
//
// A [Region] reserves addresses. What its pages hold is its [Pager]'s business: [Zero] gives cleared pages on first touch, [Large] large ones, [Backed] reads them
// from a [Backing] into a fixed number of frames and puts out what its [Policy] names, a [Region.Copy] shares them until somebody writes. A program
// supplies its own by implementing one of these interfaces. The paper to read is Hand, "Self-Paging in the Nemesis Operating System"
// (OSDI'99): who uses memory pays for its faults, with frames of its own.
//
// A [Pool] has its frames until it is closed, or, as [NewRevocablePool] makes it, until they are asked back: memory that is short is taken first from those who
// can do with less ([Reclaim]).
//
// No Go pointers may be stored in a region: the collector does not look into it. Compiled Go code and assembly may fault; package
// reflect, the runtime and nosplit functions may not (see [exo.Pages.Pager]): Populate or copy first.
// System calls take a region's memory only where it is present (Populate).
//
// Below is package exo: [exo.Pages] are the page tables, [exo.Frames] the memory. Everything here also runs on the host, over exo's
// simulated machine.
package vm
