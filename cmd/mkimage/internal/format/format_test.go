package format

import (
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
)

// TestFind: formats by name, by suffix, and by neither.
func TestFind(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"", "", "elf"},
		{"", "hello", "elf"},
		{"", ".hidden", "elf"},
		{"", "hello.elf", "elf"},
		{"", "a.b/hello.bzImage", "bzimage"},
		{"bzimage", "hello.bzimage", "bzimage"},
		{"bzimage", "hello", "bzimage"},
		{"bzimage", "hello.boot", "bzimage"},
		{"bzimage", "hello.elf", ""},
		{"raw", "x.iso", ""},
		{"qcow2", "x.img", "qcow2"},
		{"qcow2", "x.raw", ""},
		{"iso", "x.img", ""},
		{"", "hello.exe", ""},
		{"exe", "hello", ""},
	} {
		f, err := Find(c.name, c.file)
		if f.Name != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Find(%q, %q) = %q, %v; want %q", c.name, c.file, f.Name, err, c.want)
		}
	}
}

// load is a loadable segment of an image made by test.
type load struct{ off, paddr, size uint64 }

// imageOf makes an ELF file of segments, as elfimage lays them out.
func imageOf(size int, loads ...load) []byte {
	b := make([]byte, size)
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	for _, f := range []struct{ at, v int }{{16, int(elf.ET_EXEC)}, {18, int(elf.EM_X86_64)}, {20, 1}, {32, 64}, {52, 64}, {54, 56}, {56, len(loads)}} {
		binary.LittleEndian.PutUint16(b[f.at:], uint16(f.v))
	}
	for i, l := range loads {
		h := b[64+56*i:]
		le.PutUint32(h, uint32(elf.PT_LOAD))
		for at, v := range map[int]uint64{8: l.off, 16: l.paddr, 24: l.paddr, 32: l.size, 40: l.size} {
			le.PutUint64(h[at:], v)
		}
	}
	return b
}

// TestPlacing tries images that boot/amd64/place.S can place and others.
func TestPlacing(t *testing.T) {
	const M = 1 << 20
	for _, c := range []struct {
		name  string
		size  int
		loads []load
		ok    bool
	}{
		{"as built", 0x3000, []load{{0x400, M, 0x900}, {0x1000, 4 * M, 0x1ff8}}, true},
		{"file goes on behind the last segment", 0x4000, []load{{0x400, M, 0x900}, {0x1000, 4 * M, 0x2000}}, false},
		{"more in the file than between the segments", 0x4000, []load{{0x400, 4 * M, 0x900}, {0x2000, 4*M + 0x1000, 0x2000}}, false},
		{"wrong order", 0x3000, []load{{0x400, 4 * M, 0x900}, {0x1000, M, 0x2000}}, false},
		{"below 1 MiB", 0x3000, []load{{0x400, 0x8000, 0x900}, {0x1000, 4 * M, 0x2000}}, false},
		{"no segment", 0x1000, nil, false},
	} {
		if _, err := place(imageOf(c.size, c.loads...)); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestBzPayload gets the image back out of a bzImage, and nothing out of damaged ones.
func TestBzPayload(t *testing.T) {
	head := make([]byte, 0x400)
	copy(head[0x202:], "HdrS\x0e\x02")
	head[bzSetupSects] = 0
	le.PutUint32(head[bzPayloadLength:], 4)
	le.PutUint32(head[bzPayloadOffset:], 0x100)
	copy(head[0x300:], "mark")
	if got := string(bzPayload(head)); got != "mark" {
		t.Errorf("payload %q", got)
	}
	for _, at := range []int{bzPayloadOffset, bzPayloadLength} {
		bad := []byte(strings.Clone(string(head)))
		le.PutUint32(bad[at:], 0xfffffff0)
		if got := bzPayload(bad); got != nil {
			t.Errorf("payload of %d bytes out of a damaged file", len(got))
		}
	}
}
