package exo

import "sync"

// Pages holds a range of the address space whose page table entries the holder writes. Nothing is mapped in a new one, and nothing is ever
// mapped there but by its holder: an access to what is not mapped, or not so, is a [Fault] for the holder's handler.
//
// When the binding of frames ends, their pages are unmapped before the frames are anybody else's: protected by hardware.
//
// The collector does not look into a range: no Go pointers may be stored there.
type Pages struct {
	lo    uintptr
	pages int
	mem   []byte // nil after Release
	hooks faultHooks
}

// Prot says how a page may be touched.
type Prot uint8

// A page with no rights keeps its frame and faults on any access. There is no right to execute.
const (
	ProtNone  Prot = 0
	ProtRead  Prot = 1
	ProtWrite Prot = 3 // and read
)

// maxRange bounds a range: 1 TiB.
const maxRange = 1 << 28

// TakePages gives a range of pages pages, at an address that the machine chooses.
//
// Errors: *RangeError, *ExhaustedError. It does not block.
func TakePages(holder string, pages int) (*Pages, error) {
	if pages <= 0 || pages > maxRange {
		return nil, outside("page count of a range", uint64(pages), uint64(pages), 1, maxRange, "")
	}
	lo := hwRange(uintptr(pages))
	if lo == 0 {
		return nil, &ExhaustedError{Space: "address space", Want: uint64(pages) * PageSize, Why: holder + " must ask for less"}
	}
	return newRange(lo, pages), nil
}

func newRange(lo uintptr, pages int) *Pages {
	r := &Pages{lo: lo, pages: pages, mem: bytesAt(lo, uintptr(pages)*PageSize)}
	allRanges.mu.Lock()
	allRanges.held = append(allRanges.held, r)
	allRanges.mu.Unlock()
	return r
}

// TakePagesAt is TakePages at an address, a multiple of PageSize. replace: what is there goes, in one step, and ranges all of which lie there are released with that; it must all be the
// caller's, for nobody else is asked. Otherwise nothing may be there.
//
// Errors: *RangeError, *ExhaustedError where something is there, or no address of a program's. It does not block.
func TakePagesAt(holder string, at uintptr, pages int, replace bool) (*Pages, error) {
	if pages <= 0 || pages > maxRange || at%PageSize != 0 {
		return nil, outside("page count of a range", uint64(pages), uint64(pages), 1, maxRange, "and it must begin where a page does")
	}
	n := uintptr(pages) * PageSize
	if !hwRangeAt(at, uintptr(pages), replace) {
		return nil, &ExhaustedError{Space: "address space", Want: uint64(n), Why: holder + " must ask for other addresses"}
	}
	allRanges.mu.Lock()
	var gone []*Pages
	for _, r := range allRanges.held {
		if replace && r.lo >= at && r.lo+uintptr(r.pages)*PageSize <= at+n {
			gone = append(gone, r)
		}
	}
	allRanges.mu.Unlock()
	for _, r := range gone {
		forgetFaults(r)
		forgetRange(r)
		r.mem = nil
	}
	return newRange(at, pages), nil
}

// allRanges are those that frames may be mapped in.
var allRanges struct {
	mu   sync.Mutex
	held []*Pages
}

func forgetRange(r *Pages) {
	allRanges.mu.Lock()
	defer allRanges.mu.Unlock()
	for i, o := range allRanges.held {
		if o == r {
			allRanges.held = append(allRanges.held[:i], allRanges.held[i+1:]...)
			return
		}
	}
}

// unmapFrames takes n frames from physical address base on out of all page tables: their binding has ended.
func unmapFrames(base Phys, n uintptr) {
	allRanges.mu.Lock()
	defer allRanges.mu.Unlock()
	for _, r := range allRanges.held {
		for at := 0; at < r.pages; at += maxScan {
			hwUnmapFrames(r.lo+uintptr(at)*PageSize, uintptr(min(maxScan, r.pages-at)), &[2]uintptr{uintptr(base), uintptr(base) + n*PageSize})
		}
	}
}

// Bytes is the memory. Touching it where no page allows it calls the range's handler, or is a fault like any other.
func (r *Pages) Bytes() []byte { return r.mem }

// Pages is the number of pages.
func (r *Pages) Pages() int { return r.pages }

// Release unmaps everything and gives the addresses back. Nobody may touch the range any more; its handler is not called again.
//
// Errors: *ReleasedError.
func (r *Pages) Release() error {
	if r.mem == nil {
		return released("range")
	}
	forgetFaults(r)
	dropped := hwDropRange(r.lo, uintptr(r.pages))
	forgetRange(r)
	r.mem = nil
	if !dropped {
		return fault("range", "the program unmapped or replaced it by munmap or mmap: leave those addresses to their holder")
	}
	return nil
}

// A PageOp is one operation of a batch, made by [Map], [MapLarge], [Unmap], [Protect], [Query] or [Clean]. After [Pages.Apply] it holds its result.
type PageOp struct {
	frame uintptr  // physical address
	live  *uintptr // for Map: 0 once the frame's binding has ended
	page  uint32
	verb  uint8
	prot  Prot
	seen  uint8
	fail  uint8
}

// The bottom half's numbers (exo_pages_amd64.go).
const (
	verbMap = iota + 1
	verbMapLarge
	verbUnmap
	verbProtect
	verbQuery
	verbClean

	seenAccess = 1
	seenWrite  = 2
	seenLarge  = 4

	failAbsent  = 1
	failMemory  = 2
	failVerb    = 3
	failOutside = 4
	failMixed   = 5
	failFrame   = 6 // ours, as what follows, and for ever: Map was given a frame that is not there
	failAlign   = 7
)

// LargePages is how many pages a large page is: 2 MiB (Intel SDM vol. 3A, 4.5).
const LargePages = 512

// Map enters frame i of f at a page, in place of what was mapped there.
func Map(page int, f *Frames, i int, p Prot) PageOp {
	op := PageOp{page: pageNumber(page), verb: verbMap, prot: p, fail: failFrame}
	if uint(i) < uint(f.n) {
		op.frame, op.live, op.fail = uintptr(f.base)+uintptr(i)*PageSize, &f.size, 0
	}
	return op
}

// MapLarge enters the 512 frames from frame i of f on as one large page: one entry of the page tables, one of what the processor remembers of
// them. page and the physical address of frame i must be multiples of 2 MiB (TakeFrames aligns frames). It replaces a large page, and
// no small ones: they are unmapped first.
//
// A large page is one thing. It is named by its first page, and what is done to another of its pages fails, but for Query. When the binding of
// one of its frames ends, all of it is unmapped.
func MapLarge(page int, f *Frames, i int, p Prot) PageOp {
	op := PageOp{page: pageNumber(page), verb: verbMapLarge, prot: p, fail: failFrame}
	if i >= 0 && f.n >= LargePages && uintptr(i) <= f.n-LargePages {
		op.frame, op.live, op.fail = uintptr(f.base)+uintptr(i)*PageSize, &f.size, 0
		if uint(page)%LargePages != 0 || op.frame%(LargePages*PageSize) != 0 {
			op.fail = failAlign
		}
	}
	return op
}

// Unmap removes a page's frame, which stays its holder's.
func Unmap(page int) PageOp { return PageOp{page: pageNumber(page), verb: verbUnmap} }

// Protect changes how a mapped page may be touched.
func Protect(page int, p Prot) PageOp {
	return PageOp{page: pageNumber(page), verb: verbProtect, prot: p}
}

// Query asks for a mapped page's rights and frame, and whether it was touched.
func Query(page int) PageOp { return PageOp{page: pageNumber(page), verb: verbQuery} }

// Clean is Query, and forgets that the page was touched: the next Query tells of later accesses only.
func Clean(page int) PageOp { return PageOp{page: pageNumber(page), verb: verbClean} }

// pageNumber makes what no range has of what is no page number.
func pageNumber(page int) uint32 {
	if uint(page) >= maxRange {
		return maxRange
	}
	return uint32(page)
}

// Err says why the operation failed; nil where it did not.
func (op *PageOp) Err() error {
	switch op.fail {
	case 0:
		return nil
	case failAbsent:
		return &PageError{Page: int(op.page), Why: "no frame is mapped there: Map comes first"}
	case failMemory:
		return &ExhaustedError{Space: "frames for page tables", Want: 1, Why: "release memory"}
	case failVerb:
		return &PageError{Page: int(op.page), Why: "the operation is none: make it by Map, MapLarge, Unmap, Protect, Query or Clean"}
	case failMixed:
		return &PageError{Page: int(op.page), Why: "small and large pages do not mix in the same 2 MiB: unmap the others first, and name a large page by its first page"}
	case failAlign:
		return &PageError{Page: int(op.page), Why: "a large page begins at a multiple of 2 MiB, of the range and of physical memory"}
	case failFrame:
		return &PageError{Page: int(op.page), Why: "the frames do not have that one, or are released"}
	}
	return &PageError{Page: int(op.page), Why: "the range is shorter"}
}

// Prot is how the page may be touched: the result of Query and Clean.
func (op *PageOp) Prot() Prot { return op.prot }

// Large says that the page was a large one, or part of one.
func (op *PageOp) Large() bool { return op.seen&seenLarge != 0 }

// Frame is the frame at the page: the result of Query, Clean and Unmap.
func (op *PageOp) Frame() Phys { return Phys(op.frame) }

// Accessed and Written say what the processor saw before the operation, since the page was mapped or cleaned: of a large page anywhere in it.
func (op *PageOp) Accessed() bool { return op.seen&seenAccess != 0 }

// Written: see Accessed.
func (op *PageOp) Written() bool { return op.seen&seenWrite != 0 }

// PageError says what is wrong with an operation on a page of a range.
type PageError struct {
	Page int
	Why  string
}

func (e *PageError) Error() string {
	return "exo: page " + decimal(uint64(e.Page)) + " of the range: " + e.Why
}

// maxPhysical is how many pages the kernel side makes present at once.
const maxPhysical = 64

// maxBatch is how many operations the kernel side does at once, with interrupts off.
const maxBatch = 128

// maxScan is how many pages it looks through at once.
const maxScan = 1 << 15

// pageBatch is what the bottom half takes.
type pageBatch struct {
	lo, pages uintptr
	ops       *PageOp
	n         uintptr
	failed    uintptr
}

// Apply does the operations in their order, each on its own: one that fails says so by Err and hinders no other. On return no
// CPU uses an entry that they replaced. It gives the number of those that failed.
//
// Errors: *ReleasedError; nothing else makes it fail as a whole. It does not block or allocate.
func (r *Pages) Apply(ops []PageOp) (failed int, err error) {
	for len(ops) > 0 {
		if r.mem == nil {
			return failed, released("range")
		}
		part := ops[:min(len(ops), maxBatch)]
		b := pageBatch{lo: r.lo, pages: uintptr(r.pages), ops: &part[0], n: uintptr(len(part))}
		if !hwPages(&b) {
			return failed, released("range")
		}
		failed += int(b.failed)
		ops = ops[len(part):]
	}
	return failed, nil
}

// Resident sets the bit of each page in [addr, addr+n pages) that has memory, in bits, which it clears first and which has at least n bits. It gives how many pages from addr on are the
// program's at all, whether anything is mapped there or not. addr is a multiple of PageSize; n is at most 32768, and of more no more is looked at.
func Resident(addr uintptr, n int, bits []uint64) int {
	n = min(n, maxScan)
	if n <= 0 || addr%PageSize != 0 || (n+63)/64 > len(bits) {
		return 0
	}
	clear(bits)
	return hwResident(addr, uintptr(n), &bits[0])
}

// Dirty sets the bit of each page in [page, page+n) that was written since the last Dirty or Clean, in bits, which it clears first and which has
// at least n bits. It gives their number; 0, too, where that is no part of the range. The first page of a large one stands for all of it.
func (r *Pages) Dirty(page, n int, bits []uint64) int {
	if r.mem == nil || page < 0 || n <= 0 || page > r.pages-n || (n+63)/64 > len(bits) {
		return 0
	}
	clear(bits)
	found := 0
	for at := 0; at < n; at += maxScan {
		found += hwDirty(r.lo+uintptr(page+at)*PageSize, uintptr(min(maxScan, n-at)), &bits[at/64])
	}
	return found
}
