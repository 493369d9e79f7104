//go:build !hardtack

package exo

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUseHasNoLookup looks at the code of the use path as images have it: no call but to the function that refuses, no locked instruction,
// no more memory read than the arguments, one field for the place and one for the length. Before capabilities could be taken back, a load executed
// 39 instructions, comparison and wrappers included; it is 27 now.
func TestUseHasNoLookup(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "exo.a")
	run := func(in string, args ...string) string {
		cmd := exec.Command("go", args...)
		cmd.Dir = in
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("", "build", "-tags", "hardtack", "-o", lib, ".")
	run(dir, "tool", "pack", "x", lib, "access_amd64.o")                  // objdump reads the first file of a library only
	for name, most := range map[string]struct{ instructions, reads int }{ // up to RET
		`exo\.mmioLoad32`:          {14, 5}, // two arguments, length, place; the register
		`exo\.mmioStore8`:          {14, 5},
		`exo\.portsIn16`:           {13, 4}, // two arguments, length, first port
		`exo\.portsOut32`:          {13, 5},
		`exo\.\(\*Frames\)\.Bytes`: {5, 2},
	} {
		file := lib
		if !strings.Contains(name, "Frames") {
			file = filepath.Join(dir, "access_amd64.o")
		}
		text, n, reads := "", 0, 0
		for line := range strings.Lines(run("", "tool", "objdump", "-s", "^github.com/hardtack-os/hardtack/"+name+"$", file)) {
			f := strings.Fields(line)
			if strings.HasPrefix(line, "TEXT ") || len(f) < 4 || strings.Contains(text, "RET") {
				continue
			}
			code := strings.Join(f[3:], " ")
			text += code + "\n"
			n++
			if strings.Contains(code, "CALL") || strings.Contains(code, "LOCK") || strings.Contains(code, "XCHG") {
				t.Errorf("%s: %s", name, code)
			}
			if operands := strings.TrimPrefix(code, f[3]); strings.Contains(strings.Split(operands, ",")[0], "(") {
				reads++
			}
		}
		if n == 0 || n > most.instructions || reads > most.reads {
			t.Errorf("%s: %d instructions, %d reads of memory:\n%s", name, n, reads, text)
		}
	}
}

// BenchmarkUse is a load of a register and a look at a frame with ever more capabilities and bindings in their spaces: the cost stays.
func BenchmarkUse(b *testing.B) {
	for _, held := range []int{1, 100, 10000} {
		name := decimal(uint64(held))
		m, _ := simulated(b)
		m.Map(0xd0000000, 0x1000, new(words))
		c := Root().Caps(MMIOSpace)[0]
		for i := range uint64(held) {
			if _, err := c.Derive("k", 0xe0000000+8*i, 0xe0000003+8*i, All); err != nil {
				b.Fatal(err)
			}
		}
		d, err := Root().Sub("deep", Grant{MMIOSpace, 0xd0000000, 0xd0000fff, All, 0})
		for err == nil && held > 1 && strings.Count(d.Name(), "/") < 20 {
			d, err = d.Sub("er", Grant{MMIOSpace, 0xd0000000, 0xd0000fff, All, 0})
		}
		if err != nil {
			b.Fatal(err)
		}
		r, err := d.TakeMMIO("b", 0xd0000000, 0x1000)
		if err != nil {
			b.Fatal(err)
		}
		f, _ := TakeFrames("b", 1, 0)
		b.Run("MMIO/"+name, func(b *testing.B) {
			for b.Loop() {
				r.Load32(16)
			}
		})
		b.Run("Frames/"+name, func(b *testing.B) {
			for b.Loop() {
				f.Bytes()[9]++
			}
		})
	}
}

// BenchmarkBind is what the authorisation costs once.
func BenchmarkBind(b *testing.B) {
	m, _ := simulated(b)
	m.Map(0xd0000000, 0x1000, new(words))
	b.ReportAllocs()
	for b.Loop() {
		r, err := TakeMMIO("b", 0xd0000000, 0x1000)
		if err != nil {
			b.Fatal(err)
		}
		r.Release()
	}
}
