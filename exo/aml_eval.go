package exo

// A small AML evaluator: integers, buffers, conditions, loops, calls. It runs the few methods that tell where an event is
// read from (a Generic Event Device's _EVT) or that return a constant. It has no tables, mutexes or threads, and an opcode
// outside its list is an error that names it: exo drives no other part of the machine through AML. Integers have 64 bits even
// in blocks of revision 1, where the standard says 32 (19.6.29): no register it looks at is wider than 32.
//
// Rejected: searching the bytes for the device's name and assuming QEMU's register and bit. Cloud Hypervisor's event device
// has another layout, and a wrong guess here kills a program or never ends it.

type valueKind uint8

const (
	valNone    valueKind = iota
	valInt               // n
	valBuffer            // b
	valString            // b
	valPackage           // b: the elements' code
	valObject            // o
)

type value struct {
	kind valueKind
	n    uint64
	b    []byte
	o    *object
}

func number(n uint64) value { return value{kind: valInt, n: n} }

// isID says whether a _HID value is the given identifier, written out or packed as an EISA ID (19.3.4).
func (v *value) isID(id string) bool {
	if v.kind == valString {
		return string(v.b) == id
	}
	return v.kind == valInt && v.n == uint64(eisaID(id)) && v.n != 0
}

// eisaID packs "PNP0C0C": three letters of 5 bits, then four hexadecimal digits, as big endian. 0 for anything else.
func eisaID(id string) uint32 {
	if len(id) != 7 {
		return 0
	}
	var v uint32
	for i := 0; i < 7; i++ {
		c := uint32(id[i])
		switch {
		case i < 3 && c >= 'A' && c <= 'Z':
			v = v<<5 | (c - 'A' + 1)
		case i >= 3 && c >= '0' && c <= '9':
			v = v<<4 | (c - '0')
		case i >= 3 && c >= 'A' && c <= 'F':
			v = v<<4 | (c - 'A' + 10)
		default:
			return 0
		}
	}
	return v<<24 | v>>8&0xff<<16 | v>>16&0xff<<8 | v>>24
}

// A machine evaluates methods. Every term leaves its value in v.
//
// With probe set a read of any field gives reading; field is the one read and fields how many different ones were; pressed says
// whether a power button was notified. Without it reading a field is an error.
type machine struct {
	ns    *namespace
	v     value
	err   error
	steps int
	depth int

	probe   bool
	reading uint64
	field   *object
	fields  int
	pressed bool
}

// Bounds on one evaluation: terms evaluated, and calls and nested terms.
const (
	maxSteps = 10000
	maxNest  = 64
)

// set makes v a number. It is out of line, as storing a value with pointers in it takes much code.
//
//go:noinline
func (m *machine) set(n uint64) { m.v = number(n) }

// bytes makes v a run of bytes.
//
//go:noinline
func (m *machine) bytes(kind valueKind, b []byte) { m.v = value{kind: kind, b: b} }

// eval leaves an object's value in v. A method gets v as its first argument.
func (m *machine) eval(o *object) {
	f := frame{m: m, scope: o.path, code: code{b: o.code, where: o.path}}
	f.args[0] = m.v
	f.eval(o)
	m.err = f.code.err
}

// eval is machine.eval for a frame that has its arguments.
func (f *frame) eval(o *object) {
	m := f.m
	switch o.kind {
	case objName:
		f.term()
	case objMethod:
		f.block()
		m.v = f.result
	case objField:
		if !m.probe {
			f.code.fail("a field may not be read here")
			return
		}
		if m.field != o {
			m.field = o
			m.fields++
		}
		m.set(m.reading)
	default:
		m.v = value{kind: valObject, o: o}
	}
}

// A frame is one method call.
type frame struct {
	m      *machine
	scope  string
	code   code
	locals [8]value
	args   [7]value
	result value
	ended  bool // by Return
	broken bool // by Break
}

// block runs terms to the end of the code, a Return or a Break.
func (f *frame) block() {
	for f.code.left() > 0 && !f.ended && !f.broken {
		f.term()
	}
}

// inside runs block, or integer where whole is not set, on a body that is part of this method, and gives the body as it is left.
func (f *frame) inside(body code, whole bool) (rest code, n uint64) {
	outer := f.code
	f.code = body
	if whole {
		f.block()
	} else {
		n = f.integer()
	}
	rest = f.code
	f.code = outer
	f.code.err = rest.err
	return rest, n
}

//go:noinline
func (f *frame) integer() uint64 {
	f.term()
	if f.m.v.kind != valInt {
		f.code.fail("an integer is needed here")
	}
	return f.m.v.n
}

// term evaluates one term.
func (f *frame) term() {
	m, c := f.m, &f.code
	m.v = value{}
	m.steps++
	m.depth++
	if m.steps > maxSteps || m.depth > maxNest {
		c.fail("it runs for too many steps or nests too deep")
	}
	if c.err == nil {
		if isName(c.peek()) {
			f.named()
		} else {
			at := c.i
			f.operate(c.op(), at)
		}
	}
	m.depth--
}

// operate evaluates the operation that began at at.
func (f *frame) operate(op, at int) {
	m, c := f.m, &f.code
	if p := f.variable(op); p != nil {
		m.v = *p
		return
	}
	switch op {
	case opZero, opOne:
		m.set(uint64(op))
	case opOnes:
		m.set(^uint64(0))
	case opRevision:
		m.set(2)
	case opByte, opWord, opDWord, opQWord:
		m.set(c.uint(width(op)))
	case opString:
		at := c.i
		for c.u8() != 0 && c.err == nil {
		}
		m.bytes(valString, c.b[at:max(at, c.i-1)])
	case opBuffer: // its size, then the bytes it begins with (20.2.5.4)
		body, n := f.inside(c.pkg(), false)
		b := body.b[body.i:]
		m.bytes(valBuffer, b[:min(n, uint64(len(b)))])
	case opPackage:
		body := c.pkg()
		body.u8() // NumElements
		m.bytes(valPackage, body.b[body.i:])
	case opStore:
		f.term()
		f.store()
	case opAdd, opSubtract, opMultiply, opShiftLeft, opShiftRight, opAnd, opOr, opXor:
		a, b := f.integer(), f.integer()
		m.set(arith(op, a, b))
		f.store()
	case opNot:
		m.set(^f.integer())
		f.store()
	case opIncrement, opDecrement:
		at := c.i
		n := f.integer() + 1
		if op == opDecrement {
			n -= 2
		}
		c.i = at
		m.set(n)
		f.store()
	case opLAnd, opLOr, opLEqual, opLGreater, opLLess:
		a, b := f.integer(), f.integer()
		m.set(arith(op, a, b))
	case opLNot:
		m.set(arith(opLEqual, f.integer(), 0))
	case opNotify:
		f.term()
		o := m.v.o
		f.integer()
		if o == nil {
			c.fail("Notify of something that is not a device")
		} else if hid, ok := m.ns.value(o.path + "_HID"); ok && hid.isID("PNP0C0C") {
			m.pressed = m.pressed || c.err == nil
		}
	case opIf:
		body, n := f.inside(c.pkg(), false)
		if n == 0 {
			if c.peek() != opElse {
				return
			}
			c.i++
			body = c.pkg()
		}
		f.inside(body, true)
	case opElse: // of an If that was taken
		c.pkg()
	case opWhile:
		whole := c.pkg()
		for c.err == nil && !f.ended && !f.broken {
			body, n := f.inside(whole, false)
			if n == 0 {
				break
			}
			f.inside(body, true)
		}
		f.broken = false
	case opReturn:
		f.term()
		f.result = m.v
		f.ended = true
	case opBreak:
		f.broken = true
	case opNoop, opDebug:
	case opAcquire: // one evaluation at a time: every mutex is free
		f.term()
		c.take(2)
		m.set(0)
	case opRelease:
		f.term()
	default:
		c.i = at
		c.fail("exo does not evaluate its opcode")
	}
}

//go:noinline
func arith(op int, a, b uint64) uint64 {
	yes := false
	switch op {
	case opAdd:
		return a + b
	case opSubtract:
		return a - b
	case opMultiply:
		return a * b
	case opShiftLeft:
		return a << b
	case opShiftRight:
		return a >> b
	case opAnd:
		return a & b
	case opOr:
		return a | b
	case opXor:
		return a ^ b
	case opLAnd:
		yes = a != 0 && b != 0
	case opLOr:
		yes = a != 0 || b != 0
	case opLEqual:
		yes = a == b
	case opLGreater:
		yes = a > b
	case opLLess:
		yes = a < b
	}
	if yes {
		return ^uint64(0) // true is all ones (19.6.78)
	}
	return 0
}

// named evaluates a term that is a name: a value, a field, a call.
func (f *frame) named() {
	m, c := f.m, &f.code
	name, rooted := c.name(f.scope)
	o := m.ns.search(f.scope, name, rooted)
	if o == nil {
		c.fail("it names an object that is not there")
	}
	if c.err != nil {
		return
	}
	call := &frame{m: m, scope: o.path, code: code{b: o.code, where: o.path}}
	for i := 0; i < o.args; i++ {
		f.term()
		call.args[i] = m.v
	}
	if c.err == nil {
		call.eval(o)
		c.err = call.code.err
	}
}

// variable is the local or argument that an opcode names, nil for any other.
//
//go:noinline
func (f *frame) variable(op int) *value {
	switch {
	case op >= opLocal0 && op <= opLocal7:
		return &f.locals[op-opLocal0]
	case op >= opArg0 && op <= opArg6:
		return &f.args[op-opArg0]
	}
	return nil
}

// store reads a target and puts v there. Only locals and arguments hold values here; Debug and no target swallow them.
func (f *frame) store() {
	op := f.code.op()
	if p := f.variable(op); p != nil {
		*p = f.m.v
	} else if op != opZero && op != opDebug {
		f.code.fail("exo stores only to locals and arguments")
	}
}
