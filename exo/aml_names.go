package exo

// The namespace as exo needs it: devices, names, methods, regions and fields, found by walking the definition blocks'
// static structure. Module-level conditions (If at definition time) are stepped over, and what they would define is not
// seen: firmware for the machines this runs on has no device behind one.

type objectKind uint8

const (
	objDevice objectKind = 1 + iota
	objName
	objMethod
	objRegion
	objField
	objAlias
	objOther // mutexes, processors and the like: they exist, nothing more
)

type object struct {
	path string
	kind objectKind
	code []byte // objName: the data object; objMethod: the body
	args int    // objMethod

	space  uint8  // objRegion
	base   uint64 // objRegion
	size   uint64 // objRegion
	region string // objField: path of the region; objAlias: of the object
	bit    uint64 // objField: first bit in the region
	bits   uint64 // objField
	access uint8  // objField: access type (19.6.48, table 19.27)
}

type namespace struct {
	objs  []object
	errs  []error // blocks or scopes that could be read only in part
	steps int     // terms evaluated while loading: one budget for all
}

// maxObjects bounds the namespace against code made to fill memory.
const maxObjects = 1 << 14

// namespace reads the DSDT and the SSDTs once.
func (w *world) namespace() (*namespace, error) {
	w.names.once.Do(func() { w.names.ns, w.names.err = w.readNamespace() })
	return w.names.ns, w.names.err
}

func (w *world) readNamespace() (*namespace, error) {
	t, err := w.acpiTables()
	if err != nil {
		return nil, err
	}
	f, err := t.find("FACP", 0)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fault("ACPI", "there is no FADT, so no DSDT either")
	}
	dsdt, err := openTable(uintptr(fadt(f).dsdt()), t.open)
	if err != nil {
		return nil, err
	}
	ns := new(namespace)
	ns.load(dsdt.body())
	for i := 0; ; i++ {
		s, err := t.find("SSDT", i)
		if err != nil {
			ns.errs = append(ns.errs, err)
			continue
		}
		if s == nil {
			return ns, nil
		}
		ns.load(s.body())
	}
}

// load adds the objects of one definition block.
func (ns *namespace) load(aml []byte) {
	if ns.objs == nil {
		ns.objs = make([]object, 0, min(len(aml)/24, maxObjects)) // QEMU's blocks have an object each 15 to 30 bytes
	}
	c := code{b: aml}
	ns.terms(&c, "", 0)
}

// terms walks one TermList (20.2.5) that belongs to scope.
func (ns *namespace) terms(c *code, scope string, depth int) {
	c.where = scope
	for c.left() > 0 {
		if depth > maxDepth || len(ns.objs) >= maxObjects {
			c.fail("too many objects or scopes")
			break
		}
		ns.term(c, scope, depth)
	}
	if c.err != nil {
		ns.errs = append(ns.errs, c.err)
	}
}

// add makes an object; it is valid until the next one is made. Where c has failed it is a spare that nobody finds.
//
//go:noinline
func (ns *namespace) add(c *code, kind objectKind, path string) *object {
	if c.err != nil {
		return new(object)
	}
	ns.objs = append(ns.objs, object{kind: kind, path: path})
	return &ns.objs[len(ns.objs)-1]
}

func (ns *namespace) term(c *code, scope string, depth int) {
	start := c.i
	switch op := c.op(); op {
	case opNoop:
	case opAlias:
		from := c.define(scope)
		ns.add(c, objAlias, c.define(scope)).region = from
	case opName:
		p := c.define(scope)
		at := c.i
		c.skipData()
		ns.add(c, objName, p).code = c.b[at:c.i]
	case opScope, opDevice, opProcessor, opPowerRes, opThermalZone:
		body := c.pkg()
		p := body.define(scope)
		kind := objOther
		switch op {
		case opProcessor:
			body.take(1 + 4 + 1) // ProcID, PblkAddr, PblkLen
		case opPowerRes:
			body.take(1 + 2) // SystemLevel, ResourceOrder
		case opDevice:
			kind = objDevice
		}
		if op != opScope {
			ns.add(&body, kind, p)
		}
		ns.terms(&body, p, depth+1)
	case opMethod:
		body := c.pkg()
		p := body.define(scope)
		flags := body.u8()
		o := ns.add(&body, objMethod, p)
		o.args, o.code = int(flags&7), body.b[body.i:]
	case opExternal:
		c.define(scope)
		c.take(2) // ObjectType, ArgumentCount
	case opMutex, opEvent:
		ns.add(c, objOther, c.define(scope))
		if op == opMutex {
			c.take(1) // SyncFlags
		}
	case opRegion:
		p := c.define(scope)
		space := c.u8()
		base := ns.constant(c, scope)
		size := ns.constant(c, scope)
		o := ns.add(c, objRegion, p)
		o.space, o.base, o.size = space, base, size
	case opDataRegion:
		c.define(scope)
		for range 3 {
			c.skipData()
		}
	case opField:
		body := c.pkg()
		ns.fields(&body, scope, body.define(scope))
	case opDWordField, opWordField, opByteField, opBitField, opQWordField:
		ns.evaluate(c, scope) // the buffer
		ns.constant(c, scope)
		ns.add(c, objOther, c.define(scope))
	case opIf, opElse, opWhile, opIndexField, opBankField: // nothing exo reads is behind an index or a bank
		c.pkg()
	default:
		c.i = start
		c.fail("its opcode is not one exo steps over while loading a definition block")
	}
}

// evaluate gives a term that must be known when the block is loaded; constant one that must be an integer, such as a region's
// address.
func (ns *namespace) evaluate(c *code, scope string) value {
	if c.err != nil {
		return value{}
	}
	m := machine{ns: ns, steps: ns.steps}
	f := frame{m: &m, scope: scope, code: *c}
	f.term()
	ns.steps = m.steps
	c.i, c.err = f.code.i, f.code.err
	return m.v
}

//go:noinline
func (ns *namespace) constant(c *code, scope string) uint64 {
	v := ns.evaluate(c, scope)
	if v.kind != valInt {
		c.fail("an integer is needed here")
	}
	return v.n
}

// fields reads a FieldList (20.2.5.2) over a region.
func (ns *namespace) fields(c *code, scope, region string) {
	c.where = scope
	access := c.u8() & 0xf
	var bit uint64
	for c.left() > 0 {
		switch c.peek() {
		case 0x00: // ReservedField
			c.i++
			bit += uint64(c.fieldLength())
		case 0x01: // AccessField
			c.i++
			access = c.u8() & 0xf
			c.u8()
		case 0x03: // ExtendedAccessField
			c.i++
			access = c.u8() & 0xf
			c.take(2)
		case 0x02: // ConnectField: serial buses, which exo does not read
			c.fail("a field connects to a serial bus")
		default:
			p := c.define(scope)
			n := uint64(c.fieldLength())
			o := ns.add(c, objField, p)
			o.region, o.bit, o.bits, o.access = region, bit, n, access
			bit += n
			if len(ns.objs) >= maxObjects {
				c.fail("too many objects")
			}
		}
	}
	if c.err != nil {
		ns.errs = append(ns.errs, c.err)
	}
}

// fieldLength reads a PkgLength that counts bits and encloses nothing.
func (c *code) fieldLength() int {
	at := c.i
	return c.length() + c.i - at
}

// skipData steps over a DataRefObject (20.2.3).
func (c *code) skipData() {
	at := c.i
	switch op := c.op(); op {
	case opZero, opOne, opOnes, opRevision:
	case opByte, opWord, opDWord, opQWord:
		c.take(width(op))
	case opString:
		for c.left() > 0 && c.u8() != 0 {
		}
	case opBuffer, opPackage, opVarPackage:
		c.pkg()
	default:
		c.i = at
		if !isName(c.peek()) {
			c.fail("its opcode is not a data object")
		}
		c.name("")
	}
}

// lookup finds the object at an absolute path.
func (ns *namespace) lookup(path string) *object {
	for hops := 0; hops < maxDepth; hops++ {
		o := ns.at(path)
		if o == nil || o.kind != objAlias {
			return o
		}
		path = o.region
	}
	return nil
}

func (ns *namespace) at(path string) *object {
	for i := range ns.objs {
		if ns.objs[i].path == path {
			return &ns.objs[i]
		}
	}
	return nil
}

// search finds a name used in scope: a single segment is looked for in the scope and then in each one that
// encloses it, anything else only where it says (5.3).
func (ns *namespace) search(scope, name string, rooted bool) *object {
	if rooted {
		return ns.lookup(name)
	}
	for {
		if o := ns.lookup(scope + name); o != nil || len(name) != 4 || scope == "" {
			return o
		}
		scope = scope[:len(scope)-4]
	}
}

// A device is one Device object that is there, and what it says of itself.
type device struct {
	path string
}

// devices lists the devices whose _HID is id (6.1.5) and whose _STA says that they are present (6.3.7).
func (ns *namespace) devices(id string) []device {
	var list []device
	for i := range ns.objs {
		o := &ns.objs[i]
		if o.kind != objDevice {
			continue
		}
		if hid, ok := ns.value(o.path + "_HID"); !ok || !hid.isID(id) {
			continue
		}
		if sta, ok := ns.value(o.path + "_STA"); ok && sta.kind == valInt && sta.n&1 == 0 {
			continue
		}
		list = append(list, device{o.path})
	}
	return list
}

// value is what the object at path evaluates to, without touching the machine. An object that cannot be evaluated so
// counts as absent: for _STA that means present, which is what ACPI says of a device without one.
func (ns *namespace) value(path string) (value, bool) {
	o := ns.lookup(path)
	if o == nil {
		return value{}, false
	}
	m := machine{ns: ns}
	m.eval(o)
	return m.v, m.err == nil && m.v.kind != valNone
}
