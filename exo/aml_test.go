//go:build !hardtack

package exo

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

// definitions reads a compiled definition block from testdata.
func definitions(t testing.TB, name string) acpiTable {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".aml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func loaded(t testing.TB, name string) *namespace {
	t.Helper()
	ns := new(namespace)
	ns.load(definitions(t, name).body())
	for _, err := range ns.errs {
		t.Errorf("%s: %v", name, err)
	}
	return ns
}

// The blocks in testdata are what the reference compiler makes of the sources beside them.
func TestDefinitionsMatchSource(t *testing.T) {
	iasl, err := exec.LookPath("iasl")
	if err != nil {
		t.Fatal("iasl is not installed: apt-get install acpica-tools")
	}
	for _, name := range []string{"reduced", "cloud", "pc"} {
		out := filepath.Join(t.TempDir(), name)
		if log, err := exec.Command(iasl, "-p", out, "testdata/"+name+".asl").CombinedOutput(); err != nil {
			t.Fatalf("iasl: %v\n%s", err, log)
		}
		got, err := os.ReadFile(out + ".aml")
		if err != nil {
			t.Fatal(err)
		}
		want := definitions(t, name)
		// The header names the compiler's version and has the sum over it.
		if !bytes.Equal(got[acpiHeader:], want.body()) {
			t.Errorf("testdata/%s.aml is not what iasl makes of %s.asl: compile it again", name, name)
		}
	}
}

func TestNamespacePC(t *testing.T) {
	ns := loaded(t, "pc")
	for _, p := range []string{"_SB_PCI0ISA0COM1", "_SB_PCI0LCK0", "_SB_PCI0EVT0", "_SB_PCI0QWF0", "_SB_TZ00_CRT", "_SB_PWR0_STA", "_S5_", "HOST_PRT"[:4]} {
		if ns.lookup(p) == nil {
			t.Errorf("%s is missing", showPath(p))
		}
	}
	if o := ns.lookup("HOST"); o == nil || o.path != "_SB_PCI0" {
		t.Errorf("the alias leads to %+v", o)
	}
	if o := ns.lookup("_SB_PCI0FLDB"); o == nil || o.bit != 8+16+3 || o.bits != 5 || o.access != 2 {
		t.Errorf("field after gaps and an access change: %+v", o)
	}
	if v, _ := ns.value("_SB_PCI0BIG0"); v.n != 0x123456789abcdef0 {
		t.Errorf("64-bit name is %#x", v.n)
	}
	if n, err := ns.sleepType(); n != 6 || err != nil {
		t.Errorf("sleep type %d, %v", n, err)
	}
	if d := ns.devices("PNP0501"); len(d) != 1 || d[0].path != "_SB_PCI0ISA0COM1" {
		t.Errorf("serial port found by its packed ID: %v", d)
	}
	r, err := ns.resources(device{"_SB_PCI0ISA0RTC0"})
	want := resources{mem: []memRange{{0xb0000000, 0x10000000}}, irqs: []irqUse{{8, true, true}, {10, true, true}}}
	if err != nil || len(r.irqs) != 2 || r.irqs[0] != want.irqs[0] || r.irqs[1] != want.irqs[1] || len(r.mem) != 1 || r.mem[0] != want.mem[0] {
		t.Errorf("resources %+v, %v", r, err)
	}
}

func TestEventButton(t *testing.T) {
	for name, want := range map[string]struct {
		dev string
		e   buttonEvent
	}{
		"reduced": {"_SB_EVTS", buttonEvent{register{spaceMemory, 0xfea00000, 4}, 2}},
		"cloud":   {"_SB_GED_", buttonEvent{register{spaceMemory, 0xe8000000, 1}, 8}},
	} {
		ns := loaded(t, name)
		d := ns.devices("ACPI0013")
		if len(d) != 1 || d[0].path != want.dev {
			t.Fatalf("%s: event devices %v", name, d)
		}
		e, err := ns.findButton(d[0], 9)
		if err != nil || e != want.e {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestVirtioDevices(t *testing.T) {
	list, errs := loaded(t, "reduced").virtio()
	if len(errs) != 0 || len(list) != 2 {
		t.Fatalf("%v %v", list, errs)
	}
	if v := list[0]; v.Base != 0xfeb00000 || v.Size != 0x200 || v.GSI != 16 || v.ActiveLow {
		t.Errorf("%+v", v)
	}
	if v := list[1]; v.Base != 0xfeb00200 || v.Size != 0x200 || v.GSI != 17 || !v.ActiveLow {
		t.Errorf("a _CRS that is a method: %+v", v)
	}
}

func TestEISA(t *testing.T) {
	if v := eisaID("PNP0C0C"); v != 0x0c0cd041 { // as ACPI 6.5, 19.3.4 packs it
		t.Errorf("%#x", v)
	}
	if eisaID("LNRO0005") != 0 || eisaID("pnp0c0c") != 0 {
		t.Error("an ID that cannot be packed was")
	}
}

// Methods that never end, call themselves or do what exo does not evaluate are errors that name the place.
func TestEvaluatorRefuses(t *testing.T) {
	method := func(body ...byte) []byte {
		return append([]byte{opMethod, byte(6 + len(body)), 'M', 'E', 'T', 'H', 0}, body...)
	}
	for name, c := range map[string]struct {
		aml  []byte
		want string
	}{
		"endless":  {method(opWhile, 2, opOne), "many steps"},
		"itself":   {method('M', 'E', 'T', 'H'), "too deep"},
		"unknown":  {method(0xcc), "opcode"},
		"missing":  {method('N', 'O', 'N', 'E'), "not there"},
		"cut":      {method(opDWord, 1), "middle"},
		"non-int":  {method(opReturn, opAdd, opString, 'x', 0, opOne, 0), "integer"},
		"bad name": {method('\\', 'a', 'b', 'c', 'd'), "character"},
	} {
		ns := new(namespace)
		ns.load(c.aml)
		o := ns.lookup("METH")
		if o == nil {
			t.Fatal(name, ns.errs)
		}
		m := machine{ns: ns}
		m.eval(o)
		err := m.err
		var me *MachineError
		if !errors.As(err, &me) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "METH") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A block with something exo cannot step over keeps what came before it.
func TestPartialBlock(t *testing.T) {
	ns := new(namespace)
	ns.load([]byte{opName, 'A', 'A', 'A', 'A', opOne, 0xfe, 0, 0})
	if len(ns.errs) != 1 || ns.lookup("AAAA") == nil {
		t.Error(ns.errs, ns.objs)
	}
}

func TestResourcesEnd(t *testing.T) {
	for _, b := range [][]byte{{}, {0x86}, {0x86, 200, 0, 1}, {0x22, 1}, {0x23, 1, 0, 0}} {
		if _, err := parseResources(b); err == nil {
			t.Errorf("% x: no error", b)
		}
	}
}

func FuzzDefinitionBlock(f *testing.F) {
	for _, name := range []string{"reduced", "cloud", "pc"} {
		f.Add([]byte(definitions(f, name).body()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ns := new(namespace)
		ns.load(b)
		ns.sleepType()
		ns.virtio()
		for _, d := range ns.devices("ACPI0013") {
			ns.findButton(d, 9)
			ns.resources(d)
		}
	})
}

func FuzzResources(f *testing.F) {
	f.Add([]byte{0x86, 9, 0, 1, 0, 0, 0xb0, 0xfe, 0, 2, 0, 0, 0x89, 6, 0, 3, 1, 16, 0, 0, 0, 0x79, 0})
	f.Fuzz(func(t *testing.T, b []byte) { parseResources(b) })
}

// Static tables of any bytes under a right root pointer, read by everything that reads tables.
func FuzzTables(f *testing.F) {
	f.Add([]byte(sim.MADT([][2]uint32{{testIOAPIC, 0}}, [][3]uint32{{0, 2, 0}})[acpiHeader:]), sim.FADT{}.Bytes()[acpiHeader:])
	f.Add(sim.MCFG(0xb0000000, 0, 255)[acpiHeader:], sim.FADT{Flags: fadtHWReduced | fadtResetSup}.Bytes()[acpiHeader:])
	dsdt := definitions(f, "reduced")
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a)+len(b) > 1<<14 {
			return
		}
		if len(b) > fadtEnable-acpiHeader {
			b = bytes.Clone(b)
			b[fadtEnable-acpiHeader] = 0 // no hand-over: it takes 100 ms to find out that none comes
		}
		m := sim.New(1 << 19)
		defer Simulate(m)()
		m.AddIOAPIC(testIOAPIC)
		m.AddPCI()
		fadt := sim.Table("FACP", 6, b)
		if len(fadt) < 148 {
			fadt = append(fadt, make([]byte, 148-len(fadt))...)
			fadt[acpiLength], fadt[acpiLength+1] = 148, 0
		}
		m.Install(dsdt, fadt, sim.Table("APIC", 5, a), sim.Table("MCFG", 1, a), sim.Table("SSDT", 1, a))
		Arm()
		Discover()
		TakeLine("t", 5, false)
	})
}
