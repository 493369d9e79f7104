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
	valRef               // path
)

type value struct {
	kind valueKind
	n    uint64
	b    []byte
	path string
}

func number(n uint64) value { return value{kind: valInt, n: n} }

// isID says whether a _HID value is the given identifier, written out or packed as an EISA ID (19.3.4).
func (v value) isID(id string) bool {
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

// A machine evaluates methods. What they do to the world goes through its two functions; without them a field
// access is an error.
type machine struct {
	ns     *namespace
	load   func(field *object) (uint64, error)
	notify func(path string, v uint64)
	steps  int
	depth  int
}

// Bounds on one evaluation: terms evaluated, and calls and nested terms.
const (
	maxSteps = 10000
	maxNest  = 64
)

// eval gives an object's value, calling a method without arguments.
func (m *machine) eval(o *object, args ...value) (value, error) {
	switch o.kind {
	case objName:
		f := frame{m: m, scope: o.path, code: code{b: o.code, where: o.path}}
		v := f.term()
		return v, f.code.err
	case objMethod:
		scope := o.path
		f := frame{m: m, scope: scope, code: code{b: o.code, where: o.path}}
		copy(f.args[:], args)
		if m.depth++; m.depth > maxNest {
			f.code.fail("calls nest deeper than " + decimal(maxNest))
		}
		f.block()
		m.depth--
		return f.result, f.code.err
	case objField:
		if m.load == nil {
			return value{}, &MachineError{"ACPI field " + showPath(o.path), "it may not be read here"}
		}
		n, err := m.load(o)
		return number(n), err
	case objDevice, objOther:
		return value{kind: valRef, path: o.path}, nil
	}
	return value{}, &MachineError{"ACPI object " + showPath(o.path), "it has no value"}
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

// inside runs a body that is part of this method.
func (f *frame) inside(body code) {
	outer := f.code
	f.code = body
	f.block()
	if f.code.err != nil {
		outer.err = f.code.err
	}
	f.code = outer
}

// predicate evaluates the first term of an If's or a While's body and leaves the rest in it.
func (f *frame) predicate(body *code) bool {
	outer := f.code
	f.code = *body
	v := f.integer()
	*body = f.code
	err := f.code.err
	f.code = outer
	f.code.err = err
	return v != 0
}

func (f *frame) integer() uint64 {
	v := f.term()
	if v.kind != valInt {
		f.code.fail("an integer is needed here")
	}
	return v.n
}

func truth(b bool) value {
	if b {
		return number(^uint64(0))
	}
	return number(0)
}

// term evaluates one term.
func (f *frame) term() value {
	c := &f.code
	if f.m.steps++; f.m.steps > maxSteps {
		c.fail("it runs for more than " + decimal(maxSteps) + " steps")
	}
	if f.m.depth++; f.m.depth > maxNest {
		c.fail("terms nest deeper than " + decimal(maxNest))
	}
	defer func() { f.m.depth-- }()
	if c.err != nil {
		return value{}
	}
	at := c.i
	if isName(c.peek()) {
		return f.named()
	}
	op := c.op()
	switch {
	case op >= opLocal0 && op <= opLocal7:
		return f.locals[op-opLocal0]
	case op >= opArg0 && op <= opArg6:
		return f.args[op-opArg0]
	}
	switch op {
	case opZero, opOne:
		return number(uint64(op))
	case opOnes:
		return number(^uint64(0))
	case opRevision:
		return number(2)
	case opByte:
		return number(c.uint(1))
	case opWord:
		return number(c.uint(2))
	case opDWord:
		return number(c.uint(4))
	case opQWord:
		return number(c.uint(8))
	case opString:
		at := c.i
		for c.left() > 0 && c.u8() != 0 {
		}
		if c.err != nil {
			return value{}
		}
		return value{kind: valString, b: c.b[at : c.i-1]}
	case opBuffer:
		return f.buffer()
	case opPackage:
		body := c.pkg()
		body.u8() // NumElements
		if body.err != nil {
			c.fail("a package without a count")
			return value{}
		}
		return value{kind: valPackage, b: body.b[body.i:]}
	case opStore:
		v := f.term()
		f.store(v)
		return v
	case opAdd, opSubtract, opMultiply, opShiftLeft, opShiftRight, opAnd, opOr, opXor:
		a, b := f.integer(), f.integer()
		v := number(arith(op, a, b))
		f.store(v)
		return v
	case opNot:
		v := number(^f.integer())
		f.store(v)
		return v
	case opIncrement, opDecrement:
		at := c.i
		n := f.integer() + 1
		if op == opDecrement {
			n -= 2
		}
		if c.err == nil {
			c.i = at
			f.store(number(n))
		}
		return number(n)
	case opLAnd, opLOr, opLEqual, opLGreater, opLLess:
		a, b := f.integer(), f.integer()
		return truth(compare(op, a, b))
	case opLNot:
		return truth(f.integer() == 0)
	case opNotify:
		v := f.term()
		n := f.integer()
		if v.kind != valRef {
			c.fail("Notify of something that is not a device")
		} else if c.err == nil && f.m.notify != nil {
			f.m.notify(v.path, n)
		}
	case opIf:
		f.choose()
	case opWhile:
		f.loop()
	case opElse: // of an If that was taken
		c.pkg()
	case opReturn:
		f.result = f.term()
		f.ended = true
	case opBreak:
		f.broken = true
	case opNoop, opDebug:
	case opAcquire: // one evaluation at a time: every mutex is free
		f.term()
		c.take(2)
		return number(0)
	case opRelease:
		f.term()
	default:
		c.i = at
		c.fail("exo does not evaluate the opcode " + hex(uint64(op)))
	}
	return value{}
}

func arith(op int, a, b uint64) uint64 {
	switch op {
	case opAdd:
		return a + b
	case opSubtract:
		return a - b
	case opMultiply:
		return a * b
	case opShiftLeft:
		return a << min(b, 64)
	case opShiftRight:
		return a >> min(b, 64)
	case opAnd:
		return a & b
	case opOr:
		return a | b
	}
	return a ^ b
}

func compare(op int, a, b uint64) bool {
	switch op {
	case opLAnd:
		return a != 0 && b != 0
	case opLOr:
		return a != 0 || b != 0
	case opLEqual:
		return a == b
	case opLGreater:
		return a > b
	}
	return a < b
}

// buffer reads a Buffer: its size, then the bytes it begins with (20.2.5.4).
func (f *frame) buffer() value {
	body := f.code.pkg()
	outer := f.code
	f.code = body
	n := f.integer()
	body = f.code
	f.code = outer
	if body.err != nil || n > maxTable {
		f.code.fail("a buffer without a size")
		return value{}
	}
	b := body.b[body.i:]
	if uint64(len(b)) > n {
		b = b[:n]
	}
	return value{kind: valBuffer, b: b}
}

func (f *frame) choose() {
	body := f.code.pkg()
	body.err = f.code.err
	if f.predicate(&body) {
		f.inside(body)
		return
	}
	if f.code.peek() == opElse && f.code.left() > 0 {
		f.code.i++
		f.inside(f.code.pkg())
	}
}

func (f *frame) loop() {
	whole := f.code.pkg()
	for f.code.err == nil && !f.ended {
		body := whole
		if !f.predicate(&body) {
			break
		}
		f.inside(body)
		if f.broken {
			f.broken = false
			break
		}
		if f.m.steps++; f.m.steps > maxSteps {
			f.code.fail("it runs for more than " + decimal(maxSteps) + " steps")
		}
	}
}

// named evaluates a term that is a name: a value, a field, a call.
func (f *frame) named() value {
	c := &f.code
	name, rooted := c.name(f.scope)
	if c.err != nil {
		return value{}
	}
	o := f.m.ns.search(f.scope, name, rooted)
	if o == nil {
		c.fail("there is no object " + showPath(name))
		return value{}
	}
	var args []value
	if o.kind == objMethod {
		for range o.args {
			args = append(args, f.term())
		}
	}
	if c.err != nil {
		return value{}
	}
	v, err := f.m.eval(o, args...)
	if err != nil {
		c.err = err
	}
	return v
}

// store reads a target and puts v there. Only locals and arguments hold values here; Debug and no target swallow them.
func (f *frame) store(v value) {
	c := &f.code
	switch op := c.op(); {
	case op == opZero, op == opDebug:
	case op >= opLocal0 && op <= opLocal7:
		f.locals[op-opLocal0] = v
	case op >= opArg0 && op <= opArg6:
		f.args[op-opArg0] = v
	default:
		c.fail("exo stores only to locals and arguments, not to what begins with " + hex(uint64(op)))
	}
}
