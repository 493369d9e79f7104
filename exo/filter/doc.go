// Package filter decides which packets are whose: classic BPF programs that are verified once, and many of them merged
// into one decision.
//
// It is mechanism. A program is a predicate on the bytes of one packet; the package knows no protocol, no address and no
// connection. Who may claim which packets is package exo/flow's question.
//
// # Programs
//
// The machine is that of McCanne and Jacobson, "The BSD Packet Filter" (USENIX Winter 1993): an accumulator A, an index X, 16
// words of scratch, all of 32 bits and zero at the start except for scratch, which has no value. An Instruction has the layout of Linux's
// struct sock_filter. MOD and XOR are taken from Linux. Loads are big endian. A program returns how many bytes of the packet to
// keep; 0 rejects.
//
// Verify refuses, with a *RuleError that names the instruction and the rule:
//
//	RuleLength      a program of no or of more than MaxLength instructions
//	RuleOpcode      an operation that is not in instruction.go
//	RuleBackward    a jump back. A conditional jump cannot express one; JA with a constant from 2^31 on is one. So a
//	                program runs each instruction at most once, and a filter that loops cannot exist
//	RuleOutside     a jump behind the end
//	RuleEnd         a last instruction that is not RET
//	RuleDivision    DIV or MOD by the constant 0
//	RuleShift       LSH or RSH by a constant of 32 or more: processors disagree on what that is
//	RuleScratch     a scratch word that does not exist
//	RuleUnwritten   a scratch word read where, by some way, it has not been written. The original machine read whatever was on
//	                the kernel's stack. Zero would be safe too, but a program that reads what it did not write is a mistake, and
//	                refusing costs nothing when the program runs
//	RuleExtension   an absolute load from 0xffe00000 on, where Linux keeps things that are not in the packet
//
// While it runs, a load outside the packet and a division by an X of 0 reject the packet. A shift by X counts modulo 32, and X + K is
// modulo 2^32, both as on Linux. There are three differences to Linux, and kernel_test.go holds programs against the running kernel to find others:
//
//   - RuleExtension: Linux takes such loads.
//   - An indexed load that comes out at 0xffe00000 or above is outside the packet; Linux reads headers that lie before it.
//   - RuleUnwritten looks at the ways that lead to an instruction. Linux also refuses a word that was written on all of them if it was not
//     written before a RET that stands right in front; no way leads from there.
//
// # Merging
//
// Verify also takes the program apart: it is run on a packet of unknowns (walk.go), which gives its accepting paths, each a conjunction of tests
// on fields. A field is 1, 2 or 4 bytes at a fixed offset, or at an offset that another field holds (the transport header behind an
// IPv4 header of variable length), or the packet's length. A test is (field & mask) equal to a value, different from it, or in a range. The order of
// tests in a path does not matter, because a load outside the packet and a failed test reject alike; so they are sorted, and
// programs that test the same things in another order share them.
//
// How much of the packet a program keeps plays no part: who needs that runs the program that was found.
//
// A Classifier is a tree over the sorted paths of all programs. Where paths differ only in the value that a field must equal, one hash probe finds
// the branch; disjoint ranges are searched by halving; inequalities and ranges that overlap are tried one by one. This is the idea of
// PathFinder (Bailey, Gopal, Pagels, Peterson, Sarkar, OSDI 1994) and of DPF (Engler, Kaashoek, SIGCOMM 1996); the walk that
// turns BPF into it does what BPF+ (Begel, McCanne, Graham, SIGCOMM 1999) does with dominators. Rejected: code generation, as in DPF, because nothing
// in an image is writable and executable; and a bit vector per field (Lakshman, Stiliadis, SIGCOMM 1998), because its cost grows with the
// number of filters.
//
// Each node is visited at most once a packet, so a packet never costs more than running all paths one by one; with filters of one shape it
// costs what one filter costs, and more filters cost only the longer of the hash chains (at most 8 probes).
//
// # What is not taken apart
//
// A program is left whole (Opaque says why) if it has more than 256 accepting paths, more than 64 tests on one path, or more than
// 65536 steps of the walk; if it compares two fields with each other, or compares, returns or indexes by what is computed by OR, XOR,
// NEG, or by MUL, DIV or MOD with other than powers of two; or if an index is itself loaded through an index. Such a program is interpreted, in
// order, for each packet that no earlier entry takes: N of them cost N runs.
//
// # Calls
//
//	call                 errors                            cost                                             allocates  may park
//	Verify               RuleError                         the instructions once, then the walk             yes        no
//	Program.Run, Match   -                                 at most one visit an instruction                 no         no
//	Program.Opaque       -                                 a load                                           no         no
//	Compare              in the Verdict                    pairs of paths; a few us for common filters      yes        no
//	Merge                -                                 sorts all tests of all entries                     yes        no
//	Classifier.Classify  -                                 see above                                        no         no
//	Classifier.Probe     -                                 the same, and counts                             no         no
//	Table.Classify       -                                 one atomic load more; takes no lock              no         no
//	Table.Update         DuplicateError, MissingError      a Merge of all entries (a few ms for 1000)         yes        on a lock
//
// Programs, Entries in use and Classifiers never change, so any number of goroutines may use them. A reader that runs while Table.Update returns may
// still see the entries from before.
//
// # Judges
//
// The host's kernel, through SO_ATTACH_FILTER, for Verify and Run; a second interpreter and running every filter in turn, for Merge; and every witness of
// Compare is run through both programs.
package filter
