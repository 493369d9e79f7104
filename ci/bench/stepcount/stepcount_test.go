//go:build linux && amd64

package stepcount

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// base is where the test program's code lies.
const base = 0x400000 + 64 + 56

// code: what a REP counts, a loop, then exit(0).
var code = []byte{
	0xb9, 10, 0, 0, 0, // mov $10, %ecx
	0x48, 0x8d, 0x74, 0x24, 0xf0, // lea -16(%rsp), %rsi
	0xf3, 0xac, // rep lodsb
	0xb9, 5, 0, 0, 0, // mov $5, %ecx
	0xff, 0xc9, // 1: dec %ecx
	0x75, 0xfc, // jnz 1b
	0x90,              // nop: offset 21
	0xb8, 60, 0, 0, 0, // mov $60, %eax
	0x31, 0xff, // xor %edi, %edi
	0x0f, 0x05, // syscall
}

func program(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	size := uint64(64 + 56 + len(code))
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: base, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1}
	copy(h.Ident[:], []byte{0x7f, 'E', 'L', 'F', 2, 1, 1})
	p := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: 0x400000, Filesz: size, Memsz: size, Align: 4096}
	for _, part := range []any{h, p, code} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, b.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUntil(t *testing.T) {
	file := program(t)
	for _, c := range []struct {
		offset uint64
		want   int64
	}{
		{10, 2},           // up to the REP
		{12, 2 + 10},      // each of its iterations
		{21, 12 + 1 + 10}, // the loop
		{27, 23 + 2},      // nop, mov
	} {
		got, err := Until(file, base+c.offset, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("until offset %d: %d, want %d", c.offset, got, c.want)
		}
	}
	if got, err := Until(file, base+1, 0); err == nil {
		t.Errorf("an address that is never reached gives %d", got)
	}
}
