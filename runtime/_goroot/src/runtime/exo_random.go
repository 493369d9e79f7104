package runtime

// Entropy. The processor's own generator where there is one (RDSEED, RDRAND), mixed with what devices contribute (virtio-rng) and with
// clock jitter where there is neither, through a ChaCha permutation (RFC 8439, 2.3) that is re-keyed after each request.

type exoRandom struct {
	lock  exoLock
	ready bool
	key   [12]uint32 // key and nonce words of the state
	ctr   uint32
}

// exoHardRandom returns a word from the processor, or the clock where it has no generator.
func exoHardRandom() uint64 {
	_, bx, _, _ := exoCPUID(7, 0)
	for i := 0; i < 32 && bx>>18&1 != 0; i++ {
		if v, ok := exoRdseed(); ok != 0 {
			return uint64(v)
		}
	}
	_, _, cx, _ := exoCPUID(1, 0)
	for i := 0; i < 32 && cx>>30&1 != 0; i++ {
		if v, ok := exoRdrand(); ok != 0 {
			return uint64(v)
		}
	}
	return exoJitter()
}

// exoJitter gathers a word from the low bits of the time stamp counter around uncached device reads.
func exoJitter() uint64 {
	h := uint64(exo.clock.wall0) ^ exoTSC()
	for i := 0; i < 256; i++ {
		exoIn8(0x71)
		h = (h ^ exoTSC()) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h
}

func exoRandomSeed() {
	r := &exo.rng
	for i := 0; i < 12; i += 2 {
		v := exoHardRandom()
		r.key[i] ^= uint32(v)
		r.key[i+1] ^= uint32(v >> 32)
	}
	r.ready = true
}

// exoRandomMix stirs n bytes at p into the key.
func exoRandomMix(p, n uintptr) {
	r := &exo.rng
	r.lock.lock()
	for i := uintptr(0); i < n; i++ {
		r.key[i/4%8] ^= uint32(exoLoad8(p+i)) << (i % 4 * 8)
		if i%32 == 31 {
			r.rekey()
		}
	}
	r.rekey()
	r.lock.unlock()
}

//go:noinline
func (r *exoRandom) rekey() {
	var b [16]uint32
	r.block(&b)
	for i := range r.key {
		r.key[i] = b[i]
	}
}

// exoRandomFill writes n bytes at p. The pages of p may be touched here for the first time.
func exoRandomFill(p, n uintptr) {
	r := &exo.rng
	var b [16]uint32
	for n > 0 {
		r.lock.lock()
		if !r.ready {
			exoRandomSeed()
		}
		r.block(&b)
		r.rekey()
		r.lock.unlock()
		m := min(n, 64)
		for i := uintptr(0); i < m; i++ {
			exoStore8(p+i, uint8(b[i/4]>>(i%4*8)))
		}
		p += m
		n -= m
	}
	for i := range b {
		b[i] = 0
	}
}

// block makes the next 64 bytes.
func (r *exoRandom) block(b *[16]uint32) {
	var s [16]uint32
	s[0], s[1], s[2], s[3] = 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574
	for i := range r.key {
		s[4+i] = r.key[i]
	}
	s[12] ^= r.ctr
	r.ctr++
	for i := range s {
		b[i] = s[i]
	}
	for i := 0; i < 10; i++ {
		exoQuarter(b, 0, 4, 8, 12)
		exoQuarter(b, 1, 5, 9, 13)
		exoQuarter(b, 2, 6, 10, 14)
		exoQuarter(b, 3, 7, 11, 15)
		exoQuarter(b, 0, 5, 10, 15)
		exoQuarter(b, 1, 6, 11, 12)
		exoQuarter(b, 2, 7, 8, 13)
		exoQuarter(b, 3, 4, 9, 14)
	}
	for i := range s {
		b[i] += s[i]
	}
}

func exoQuarter(s *[16]uint32, a, b, c, d uint) {
	a, b, c, d = a&15, b&15, c&15, d&15
	s[a] += s[b]
	s[d] = (s[d]^s[a])<<16 | (s[d]^s[a])>>16
	s[c] += s[d]
	s[b] = (s[b]^s[c])<<12 | (s[b]^s[c])>>20
	s[a] += s[b]
	s[d] = (s[d]^s[a])<<8 | (s[d]^s[a])>>24
	s[c] += s[d]
	s[b] = (s[b]^s[c])<<7 | (s[b]^s[c])>>25
}
