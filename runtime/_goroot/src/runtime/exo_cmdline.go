package runtime

// The command line (ARCHITECTURE.md gives the syntax): the one baked into the image, then the one the VMM passed.

const exoMaxStrings = 256

type exoCommand struct {
	text      [2]uintptr // baked, passed; copies, terminated by 0, in frames
	size      [2]uintptr
	ctl       uintptr // control port; 0 none
	debugExit uintptr
	trace     uint32 // bit 0: calls, bit 1: those refused
}

// exoToken is one NAME=VALUE of the line; val still has its quotes and escapes.
type exoToken struct {
	name, eq, end uintptr
}

// next reads the token at or after p and returns where it ends.
func (k *exoToken) next(p uintptr) bool {
	for exoLoad8(p) == ' ' {
		p++
	}
	if exoLoad8(p) == 0 {
		return false
	}
	k.name, k.eq = p, 0
	quoted := false
	for ; ; p++ {
		c := exoLoad8(p)
		if c == 0 || c == ' ' && !quoted {
			break
		}
		switch {
		case c == '=' && k.eq == 0:
			k.eq = p
		case c == '"' && k.eq != 0:
			quoted = !quoted
		case c == '\\' && quoted && exoLoad8(p+1) != 0:
			p++
		}
	}
	k.end = p
	if k.eq == 0 {
		k.eq = p
	}
	return true
}

// is reports whether the token's name is s.
//
//go:noinline
func (k *exoToken) is(s string) bool {
	if k.eq-k.name != uintptr(len(s)) || k.eq == k.end {
		return false
	}
	for i := 0; i < len(s); i++ {
		if exoLoad8(k.name+uintptr(i)) != s[i] {
			return false
		}
	}
	return true
}

// has reports whether the value, without quotes, contains s.
func (k *exoToken) has(s string) bool {
	for p := k.eq + 1; p+uintptr(len(s)) <= k.end; p++ {
		i := 0
		for i < len(s) && exoLoad8(p+uintptr(i)) == s[i] {
			i++
		}
		if i == len(s) {
			return true
		}
	}
	return false
}

// number reads the value as decimal or 0x hexadecimal; 0 when it is neither.
func (k *exoToken) number() uintptr {
	p, base, v := k.eq+1, uintptr(10), uintptr(0)
	if p+2 < k.end && exoLoad8(p) == '0' && exoLoad8(p+1)|0x20 == 'x' {
		base, p = 16, p+2
	}
	for ; p < k.end; p++ {
		c := uintptr(exoLoad8(p))
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0
		}
		if c >= base {
			return 0
		}
		v = v*base + c
	}
	return v
}

// copy writes the value to dst without quotes and escapes, terminated by 0, and returns the address after that.
func (k *exoToken) copy(dst uintptr) uintptr {
	quoted := false
	for p := k.eq + 1; p < k.end; p++ {
		c := exoLoad8(p)
		switch {
		case c == '"':
			quoted = !quoted
			continue
		case c == '\\' && quoted && p+1 < k.end:
			p++
			c = exoLoad8(p)
		}
		exoStore8(dst, c)
		dst++
	}
	exoStore8(dst, 0)
	return dst + 1
}

// exoCommandSettings reads what the bottom half itself wants to know.
func exoCommandSettings() {
	m := &exo.cmd
	for _, text := range m.text {
		var k exoToken
		for p := text; p != 0 && k.next(p); p = k.end {
			switch {
			case k.is("ctl"):
				m.ctl = k.number()
			case k.is("debugexit"):
				m.debugExit = k.number()
			case k.is("trace"):
				if k.has("calls") {
					m.trace |= 1
				}
				if k.has("missing") {
					m.trace |= 2
				}
			}
		}
	}
}

// exoProcessImage lays out what an ELF program finds at its entry (System V ABI, AMD64 supplement, 3.4.1): argument count, argument pointers,
// environment, auxiliary vector. [lo, hi) is mapped stack. It returns the stack pointer.
func exoProcessImage(lo, hi uintptr) uintptr {
	m := &exo.cmd
	// Strings go up from lo, pointers are collected here and laid down at the end.
	var argv, envp [exoMaxStrings]uintptr
	argc, envc := 1, 0
	s := lo
	limit := func(k *exoToken) bool { return s+(k.end-k.eq)+exoPageSize > hi }
	exoStore(s, 0x6567616d69) // "image"
	argv[0] = s
	s += 8
	passed := false
	for i := 1; i >= 0; i-- {
		var k exoToken
		for p := m.text[i]; p != 0 && k.next(p); p = k.end {
			passed = passed || i == 1 && k.is("arg")
		}
	}
	for i, text := range m.text {
		var k exoToken
		for p := text; p != 0 && k.next(p); p = k.end {
			if limit(&k) {
				exoPanic("command line too long for the stack", nil, s)
			}
			switch {
			case k.is("name"):
				argv[0] = s
				s = k.copy(s)
			case k.is("arg") && (i == 1 || !passed) && argc < len(argv):
				argv[argc] = s
				argc++
				s = k.copy(s)
			case k.is("env"):
				at := s
				s = k.copy(s)
				j := 0
				for j < envc && !exoSameName(envp[j], at) {
					j++
				}
				if j < len(envp) {
					envp[j] = at
					envc = max(envc, j+1)
				}
			}
		}
	}
	s = alignUp(s, 16)
	exoStore(s, uintptr(exoHardRandom()))
	exoStore(s+8, uintptr(exoHardRandom()))
	aux := [...]uintptr{
		_AT_PAGESZ, exoPageSize,
		_AT_RANDOM, s,
		0, 0,
	}
	words := uintptr(1 + argc + 1 + envc + 1 + len(aux))
	sp := (hi - words*8) &^ 15
	if s+16 > sp {
		exoPanic("command line too long for the stack", nil, s)
	}
	p := sp
	put := func(v uintptr) { exoStore(p, v); p += 8 }
	put(uintptr(argc))
	for _, a := range argv[:argc] {
		put(a)
	}
	put(0)
	for _, e := range envp[:envc] {
		put(e)
	}
	put(0)
	for _, v := range aux {
		put(v)
	}
	return sp
}

// exoSameName reports whether two NAME=VALUE strings have the same NAME.
func exoSameName(a, b uintptr) bool {
	for ; ; a, b = a+1, b+1 {
		x, y := exoLoad8(a), exoLoad8(b)
		if x != y {
			return false
		}
		if x == '=' || x == 0 {
			return true
		}
	}
}
