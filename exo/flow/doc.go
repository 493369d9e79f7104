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
// An Extent binds the blocks [lo, hi) of a disk, to be read, written or both. CheckRead and CheckWrite tell whether a transfer stays inside.
//
// # Calls
//
// A driver makes a NIC or a Disk and gets the capability of all its queues or blocks (exo.Cap), which it hands on by Derive or to a domain. Bind
// functions turn names of a capability into a Queue or an Extent; when that binding ends, by Release or because the capability was taken
// back, use fails and says why. Ended is *exo.RevokedError, *exo.ReleasedError or *exo.EmptyError; Held, Range and Rights are exo's too.
//
//	call                needs        errors                   cost                                         allocates   may park
//	NewNIC, NewDisk     -            Range                    -                                            yes         no
//	NIC.Bind            Bind, Read   Held, Range, Rights      exo.Space.Bind                               yes         on a lock
//	Queue.Claim         -            *OverlapError, Ended,    a filter.Compare with each flow of the       yes         on a lock
//	                                 *filter.RuleError        rank, then a merge of all (a ms for 1000)
//	NIC.Steer           -            -                        one classification (package filter)          no          no
//	Flow.Release        -            Ended                    a merge of all                               yes         on a lock
//	Queue.Release       -            Ended                    a merge of all; ends the queue's flows       yes         on a lock
//	Disk.Bind           Bind, the    Held, Range, Rights      exo.Space.Bind                               yes         on a lock
//	                    rights asked
//	Extent.CheckRead,   -            Range, Rights, Ended     one comparison; no look-up, no lock          errors do   no
//	CheckWrite
//	Extent.Release      -            Ended                    exo.Binding.Release                          no          on a lock
//
// Locks are held for a search or a merge, never for a comparison of filters or a transfer. Taking a queue back merges under the space's lock.
//
// # How it is protected
//
// By Go types: only this package makes a Queue, a Flow or an Extent, and their zero values hold nothing. What begins after an end is refused. A
// Steer that is under way on another CPU may still give the queue from before; and a transfer that passed its check is the device's: whoever
// gives blocks or a queue's buffers to another first waits until the device is done with them.
package flow
