// Package flow keeps apart what many holders use of one device: the packets of a network card, by queue and filter, and the
// blocks of a disk, by extent.
//
// It is mechanism. It knows queues by number, packets by the programs that accept them and blocks by number; what they are good for
// is for those above. Claims are authorised once; use is a classification or one comparison.
//
// # Packets
//
// A Queue is one of a card's receive queues, with one holder. A Flow is (filter -> queue): what a verified program accepts goes to that queue.
// Two filters that could accept the same packet cannot both be held at the same rank. filter.Compare decides: if it shows a packet
// that both accept, the claim is refused with that packet; if it can prove neither that there is one nor that there is none, the claim is
// refused with the reason. So for no packet does it matter who came first.
//
// Unless one is declared to come after the other: a flow of rank r gets what no flow of a smaller rank accepts, whether that was claimed
// before or after. To take a rank above 0 is to agree to that; a holder who does not agree stays at 0. Rejected: a rank that a newcomer could
// put before a flow of somebody who has not agreed, which is theft; and an order of arrival, which makes who gets a packet depend on
// who booted first.
//
// # Blocks
//
// An Extent binds the blocks [lo, hi) of a disk. Check tells whether a transfer stays inside.
//
// # Calls
//
//	call                errors                              cost                                             allocates  may park
//	NewNIC, NewDisk     exo.RangeError                      -                                                yes        no
//	NIC.TakeQueue       exo.HeldError, exo.RangeError       a binary search                                  yes        on a lock
//	Queue.Claim         OverlapError, exo.ReleasedError,    a filter.Compare with each flow of the rank,     yes        on a lock
//	                    filter.RuleError                    then a merge of all (a few ms for 1000)
//	NIC.Steer           -                                   one classification (package filter); no lock     no         no
//	Flow.Release        exo.ReleasedError                   a merge of all                                   yes        on a lock
//	Queue.Release       exo.ReleasedError                   a merge of all; ends the queue's flows           yes        on a lock
//	Disk.TakeExtent     exo.HeldError, exo.RangeError       a binary search                                  yes        on a lock
//	Extent.Check        exo.RangeError, exo.ReleasedError   one comparison; no look-up, no lock              errors do  no
//	Extent.Release      exo.ReleasedError                   a binary search                                  no         on a lock
//
// Locks are held for a search or a merge, never for a comparison of filters or a transfer.
//
// # How it is protected
//
// By Go types: only this package makes a Queue, a Flow or an Extent, and their zero values hold nothing. Release takes effect for what begins
// afterwards: a Steer or Check that is under way on another CPU may still end as before. A driver that has to know when the last of them is
// over waits for its device, as for any transfer.
//
// # The seam to exo
//
// Who has which queue and which blocks is kept by names.go, with the shape of exo's spaces: bind a range for a holder, be told when the binding ends,
// release. To hand out queues and blocks by exo.Cap, derived and revoked like all else, that file alone is to be replaced.
package flow
