package buf

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A Source gives a pool memory, some blocks' worth at a time: n bytes that never move, and what devices call the first of them (0: no device will see
// them). It may block and allocate. nil bytes: there is none now.
type Source func(n int) (mem []byte, phys uint64)

// Heap is the Source of pools that no device sees.
func Heap(n int) ([]byte, uint64) { return make([]byte, n), 0 }

// chunkBytes is how much a pool asks its source for at a time, if its limit allows.
const chunkBytes = 256 << 10

// A Pool hands out blocks of one size. It grows when it has none, up to a limit, and keeps what it once had: memory that devices know is dear to
// take and to give back.
type Pool struct {
	name   string
	size   int
	limit  int // blocks
	source Source

	mu    sync.Mutex
	free  []*Block // the last one given back is the first to go: it is in the cache
	made  int      // blocks that exist
	inUse atomic.Int64

	failed atomic.Uint64 // times that there was none
}

// NewPool makes a pool of blocks of size bytes, a power of two from 64 bytes to 64 KiB, at most limit of them. It takes no memory yet.
func NewPool(name string, size, limit int, source Source) *Pool {
	if size < 64 || size > 64<<10 || size&(size-1) != 0 || limit < 1 {
		panic(fmt.Sprintf("buf: pool %s: %d blocks of %d bytes: a block has 64 to 65536 bytes, a power of two", name, limit, size))
	}
	return &Pool{name: name, size: size, limit: limit, source: source}
}

// Size is that of a block in bytes.
func (p *Pool) Size() int { return p.size }

// Get gives a Ref to a whole block, with whatever it held. It says false if the limit is reached or the source has nothing; then the caller
// does without: it drops the packet or waits for one of its own to come back. It allocates only when it grows.
func (p *Pool) Get() (Ref, bool) {
	p.mu.Lock()
	if len(p.free) == 0 && !p.grow() {
		p.mu.Unlock()
		p.failed.Add(1)
		return Ref{}, false
	}
	b := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.mu.Unlock()
	p.inUse.Add(1)
	b.refs.Store(1)
	return Ref{block: b, hi: uint32(p.size)}, true
}

// grow asks the source for more; mu held.
func (p *Pool) grow() bool {
	n := min(max(chunkBytes/p.size, 1), p.limit-p.made)
	if n == 0 {
		return false
	}
	mem, phys := p.source(n * p.size)
	if mem == nil {
		return false
	}
	blocks := make([]Block, n)
	p.made += n
	if cap(p.free) < p.made {
		p.free = append(make([]*Block, 0, 2*p.made), p.free...)
	}
	for i := range blocks {
		b := &blocks[i]
		b.mem, b.home = mem[i*p.size:(i+1)*p.size:(i+1)*p.size], p
		if phys != 0 {
			b.phys = phys + uint64(i*p.size)
		}
		p.free = append(p.free, b)
	}
	return true
}

// Free is how many bytes more the limit allows to be in use.
func (p *Pool) Free() int { return (p.limit - int(p.inUse.Load())) * p.size }

// Share is how many bytes one holder may have: an eighth of what is left, see Ref.Share.
func (p *Pool) Share() int { return max(p.Free()/8, 0) }

func (p *Pool) takeBack(b *Block) {
	p.inUse.Add(-1)
	p.mu.Lock()
	p.free = append(p.free, b)
	p.mu.Unlock()
}

// Stats is a pool's account.
type Stats struct {
	Name   string
	Size   int    // bytes a block
	Limit  int    // blocks at most
	InUse  int    // blocks that somebody refers to
	Failed uint64 // times that a block was wanted and there was none
}

// Stats gives the account as it stands.
func (p *Pool) Stats() Stats {
	return Stats{p.name, p.size, p.limit, int(p.inUse.Load()), p.failed.Load()}
}
