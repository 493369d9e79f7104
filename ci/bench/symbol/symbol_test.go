package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGoFunc compares with the symbol table of a program that still has one.
func TestGoFunc(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() { println(1) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-o", program, source)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]uint64)
	for _, s := range symbols {
		want[s.Name] = s.Value
	}
	for _, name := range []string{"main.main", "runtime.sysmon", "runtime.mallocgc"} {
		got, err := GoFunc(program, name, "_rt0_amd64_linux", f.Entry)
		if err != nil {
			t.Fatal(err)
		}
		if got != want[name] {
			t.Errorf("%s is found at %#x, the symbol table says %#x", name, got, want[name])
		}
	}
	if _, err := GoFunc(program, "main.absent", "_rt0_amd64_linux", f.Entry); err == nil {
		t.Error("a function that does not exist is found")
	}
}

func TestPhysEntry(t *testing.T) {
	note := func(name string, typ uint32, desc []byte) []byte {
		var b bytes.Buffer
		binary.Write(&b, binary.LittleEndian, []uint32{uint32(len(name)), uint32(len(desc)), typ})
		b.WriteString(name)
		b.Write(make([]byte, -len(name)&3))
		b.Write(desc)
		b.Write(make([]byte, -len(desc)&3))
		return b.Bytes()
	}
	entry := []byte{0x34, 0x12, 0x10, 0}
	wide := append(bytes.Clone(entry), 0, 0, 0, 0)
	for _, c := range []struct {
		name  string
		notes []byte
		ok    bool
	}{
		{"32 bits wide", note("Xen\x00", 18, entry), true},
		{"64 bits wide", note("Xen\x00", 18, wide), true},
		{"after others", append(note("Go\x00\x00", 4, []byte("abcde")), note("Xen\x00", 18, entry)...), true},
		{"another type", note("Xen\x00", 17, entry), false},
		{"another owner", note("GNU\x00", 18, entry), false},
		{"cut short", note("Xen\x00", 18, entry)[:17], false},
		{"empty", nil, false},
	} {
		got, ok := physEntry(c.notes)
		if ok != c.ok || ok && got != 0x101234 {
			t.Errorf("%s: got %#x, %v", c.name, got, ok)
		}
	}
}
