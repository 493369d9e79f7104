// Package buddy is the frame allocator of every image that does not ask for another: a binary buddy system (Knowlton, CACM 1965) within chunks of
// 2 MiB, so that large pages are there as long as any chunk is whole, and the frames of a device are contiguous without a search.
//
// Each chunk has a tree of bytes, one for each block from 2 MiB down to a frame: one more than the order of the largest free block in it, 0 where nothing
// is free. A free chunk is one byte, its root: what is below a block that is wholly free, or wholly taken, is written only when somebody looks there.
//
//	take, give      log n steps in a chunk; which chunk: the first of those in use that has the room, else a whole one
//	records         1 040 bytes for 2 MiB
package buddy
