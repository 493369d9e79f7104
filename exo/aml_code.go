package exo

// Reading ACPI Machine Language: ACPI 6.5, chapter 20. AML comes from firmware and is judged like any input: every read is
// checked, every nesting and every loop is bounded.

// Opcodes (20.3, table 20.2). Those after the 0x5b prefix carry it in their high byte.
const (
	opZero        = 0x00
	opOne         = 0x01
	opAlias       = 0x06
	opName        = 0x08
	opByte        = 0x0a
	opWord        = 0x0b
	opDWord       = 0x0c
	opString      = 0x0d
	opQWord       = 0x0e
	opScope       = 0x10
	opBuffer      = 0x11
	opPackage     = 0x12
	opVarPackage  = 0x13
	opMethod      = 0x14
	opExternal    = 0x15
	opLocal0      = 0x60
	opLocal7      = 0x67
	opArg0        = 0x68
	opArg6        = 0x6e
	opStore       = 0x70
	opAdd         = 0x72
	opSubtract    = 0x74
	opIncrement   = 0x75
	opDecrement   = 0x76
	opMultiply    = 0x77
	opShiftLeft   = 0x79
	opShiftRight  = 0x7a
	opAnd         = 0x7b
	opOr          = 0x7d
	opXor         = 0x7f
	opNot         = 0x80
	opNotify      = 0x86
	opDWordField  = 0x8a
	opWordField   = 0x8b
	opByteField   = 0x8c
	opBitField    = 0x8d
	opQWordField  = 0x8f
	opLAnd        = 0x90
	opLOr         = 0x91
	opLNot        = 0x92
	opLEqual      = 0x93
	opLGreater    = 0x94
	opLLess       = 0x95
	opIf          = 0xa0
	opElse        = 0xa1
	opWhile       = 0xa2
	opNoop        = 0xa3
	opReturn      = 0xa4
	opBreak       = 0xa5
	opOnes        = 0xff
	opExt         = 0x5b
	opMutex       = 0x5b01
	opEvent       = 0x5b02
	opCreateField = 0x5b13
	opAcquire     = 0x5b23
	opRelease     = 0x5b27
	opRevision    = 0x5b30
	opDebug       = 0x5b31
	opRegion      = 0x5b80
	opField       = 0x5b81
	opDevice      = 0x5b82
	opProcessor   = 0x5b83
	opPowerRes    = 0x5b84
	opThermalZone = 0x5b85
	opIndexField  = 0x5b86
	opBankField   = 0x5b87
	opDataRegion  = 0x5b88
)

// Its small functions are kept out of line: they run seldom, and every image carries what calls them.

// code is a stretch of AML being read. The first fault sticks in err; after it every read gives zeroes and left is 0, so that
// callers need look only where it matters.
type code struct {
	b     []byte
	i     int
	where string // the path it belongs to, for errors
	err   error
}

//go:noinline
func (c *code) left() int {
	if c.err != nil {
		return 0
	}
	return len(c.b) - c.i
}

//go:noinline
func (c *code) fail(why string) {
	if c.err == nil {
		c.err = faultIn("ACPI code of", c.where, c.i, why)
	}
}

//go:noinline
func (c *code) u8() byte {
	if c.left() < 1 {
		c.fail("it ends in the middle")
		return 0
	}
	v := c.b[c.i]
	c.i++
	return v
}

//go:noinline
func (c *code) peek() byte {
	if c.left() < 1 {
		return 0
	}
	return c.b[c.i]
}

// uint reads n bytes, little endian.
func (c *code) uint(n int) (v uint64) {
	for s := 0; s < n*8; s += 8 {
		v |= uint64(c.u8()) << s
	}
	return v
}

func (c *code) take(n int) []byte {
	if n < 0 || c.left() < n {
		c.fail("it ends in the middle")
		return nil
	}
	b := c.b[c.i : c.i+n]
	c.i += n
	return b
}

// width is the size of an integer constant, 0 for other opcodes.
func width(op int) int {
	switch op {
	case opByte, opWord, opDWord:
		return 1 << (op - opByte)
	case opQWord:
		return 8
	}
	return 0
}

// op reads an opcode, with its extension byte.
//
//go:noinline
func (c *code) op() int {
	o := int(c.u8())
	if o == opExt {
		o = o<<8 | int(c.u8())
	}
	return o
}

// length reads a PkgLength field (20.2.4) and gives the whole of its package, less the field itself.
func (c *code) length() int {
	at := c.i
	lead := int(c.u8())
	n := lead & 0x3f
	if follow := lead >> 6; follow > 0 {
		n = lead&0x0f | int(c.uint(follow))<<4
	}
	return n - (c.i - at)
}

// pkg reads a PkgLength and gives what it encloses as code of its own.
//
//go:noinline
func (c *code) pkg() code {
	return code{b: c.take(c.length()), where: c.where, err: c.err}
}

// A path is an absolute place in the namespace: four bytes a segment, none for the root (5.3).

// maxDepth bounds names' and scopes' depth.
const maxDepth = 32

// name reads a NameString (20.2.2). If it begins at the root or climbs, path is absolute and rooted; otherwise it is relative
// to scope.
func (c *code) name(scope string) (path string, rooted bool) {
	switch {
	case c.peek() == '\\':
		c.i++
		scope, rooted = "", true
	case c.peek() == '^':
		for rooted = true; c.peek() == '^'; c.i++ {
			if scope == "" {
				c.fail("a name climbs above the root")
				return "", true
			}
			scope = scope[:len(scope)-4]
		}
	}
	n := 1
	switch c.peek() {
	case 0: // NullName; or the end, which peek cannot tell
		c.u8()
		if rooted {
			return scope, true
		}
		return "", false
	case 0x2e:
		c.i++
		n = 2
	case 0x2f:
		c.i++
		n = int(c.u8())
	}
	seg := c.take(n * 4)
	for i, ch := range seg {
		lead := ch >= 'A' && ch <= 'Z' || ch == '_'
		if !lead && (i%4 == 0 || ch < '0' || ch > '9') {
			c.fail("a name has a character that names have not")
			return "", false
		}
	}
	if n == 0 || n > maxDepth {
		c.fail("a name has no segment or too many")
		return "", false
	}
	if rooted {
		return scope + string(seg), true
	}
	return string(seg), false
}

// define reads the NameString of an object that is being defined in scope and gives its path.
func (c *code) define(scope string) string {
	p, rooted := c.name(scope)
	if !rooted {
		p = scope + p
	}
	if len(p) > 4*maxDepth {
		c.fail("names nest too deep")
	}
	return p
}

// isName says whether a NameString begins with b.
func isName(b byte) bool {
	return b >= 'A' && b <= 'Z' || b == '_' || b == '\\' || b == '^' || b == 0x2e || b == 0x2f
}

func showPath(p string) string {
	s := "\\"
	for i := 0; i+4 <= len(p); i += 4 {
		if i > 0 {
			s += "."
		}
		s += p[i : i+4]
	}
	return s
}
