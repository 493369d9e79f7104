package elfimage

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// seg is a segment of a synthetic program.
type seg struct {
	vaddr, filesz, memsz uint64
	flags                elf.ProgFlag
}

// twoSegments is the least a program looks like.
var twoSegments = []seg{
	{0x400000, 0x1234, 0x1234, elf.PF_R | elf.PF_X},
	{0x402000, 0x0123, 0x5000, elf.PF_R | elf.PF_W},
}

// synthetic returns an ELF file with the given segments, whose bytes count up.
func synthetic(entry uint64, segs []seg) []byte {
	b := appendEhdr(nil, len(segs))
	le.PutUint64(b[24:], entry)
	off := pageUp(uint64(len(b) + len(segs)*phdrSize))
	for _, s := range segs {
		b = appendPhdr(b, elf.PT_LOAD, s.flags, off, s.vaddr, s.filesz, pageSize)
		le.PutUint64(b[len(b)-16:], s.memsz)
		off += pageUp(s.filesz)
	}
	out := make([]byte, off)
	for i := copy(out, b); i < len(out); i++ {
		out[i] = byte(i)
	}
	return out
}

func TestBuildAndRead(t *testing.T) {
	in := synthetic(0x400010, twoSegments)
	boot := bytes.Repeat([]byte{0xcc}, MaxBootCode)
	const cmdline = `name=x arg="a b"`
	rec := &Record{Key: "k", Package: "example.com/x", Modules: []string{modulePath + "/libos/posix"}, Groups: []Group{{"exo", 7}}}
	out, err := Build(in, Options{Boot: boot, Cmdline: cmdline, Record: rec})
	if err != nil {
		t.Fatal(err)
	}
	img, err := Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if img.Size != uint64(len(out)) || img.GoEntry != 0x400010 || img.PVHEntry != BootBase || img.Cmdline != cmdline {
		t.Errorf("read back %+v", img)
	}
	if img.Record == nil || img.Record.Key != "k" || len(img.Record.Groups) != 1 {
		t.Errorf("record %+v", img.Record)
	}
	want := []Segment{
		{Vaddr: 0x400000, Filesz: 0x1234, Memsz: 0x1234, Flags: elf.PF_R | elf.PF_X},
		{Vaddr: 0x402000, Filesz: 0x1000, Memsz: 0x5000, Flags: elf.PF_R | elf.PF_W},
	}
	for i, w := range want {
		if img.Segments[i] != w {
			t.Errorf("segment %d: %+v, want %+v", i, img.Segments[i], w)
		}
	}
	if end, err := LoadEnd(in); err != nil || end != 0x403000 || img.LoadEnd() != end {
		t.Errorf("loaded up to %#x, %v; the image says %#x", end, err, img.LoadEnd())
	}
	if got := want[1].Perm(); got != "rw-" {
		t.Errorf("permissions %q", got)
	}
}

// TestLoaderView reads an image with another ELF reader, as a loader would.
func TestLoaderView(t *testing.T) {
	in := synthetic(0x400000, twoSegments)
	out, err := Build(in, Options{Boot: []byte("boot"), Cmdline: "name=y"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	mem := map[uint64][]byte{}
	for _, p := range f.Progs {
		data := make([]byte, p.Filesz)
		if _, err := p.ReadAt(data, 0); err != nil {
			t.Fatal(err)
		}
		if p.Type == elf.PT_LOAD {
			mem[p.Paddr] = data
			if p.Off%fileAlign != 0 {
				t.Errorf("segment at %#x starts within a page of the file", p.Paddr)
			}
		}
	}
	if got := string(mem[BootBase][:4]); got != "boot" {
		t.Errorf("boot code %q", got)
	}
	if got := string(mem[BootBase][cmdlineBase-BootBase:]); got != "name=y\x00" {
		t.Errorf("command line %q", got)
	}
	table := mem[BootBase][0x800:]
	for off, want := range map[int]uint64{
		0x00: 0x4b43415444524148, 0x08: 0x400000, 0x10: 2, 0x18: cmdlineBase, 0x20: 6, 0x28: 0x403000,
		0x30: 0x400000, 0x38: 0x1234, 0x40: 0x1234, 0x48: 5,
		0x50: 0x402000, 0x58: 0x1000, 0x60: 0x5000, 0x68: 6,
	} {
		if got := le.Uint64(table[off:]); got != want {
			t.Errorf("image table at %#x: %#x, want %#x", off, got, want)
		}
	}
	data := mem[0x402000]
	if !bytes.Equal(data[0x123:], make([]byte, 0x1000-0x123)) {
		t.Error("the rest of the data's last page is not zero")
	}
	if !bytes.Equal(mem[0x400000], in[0x1000:0x2234]) {
		t.Error("text differs")
	}
}

func TestRefusals(t *testing.T) {
	good := func() []byte { return synthetic(0x400000, twoSegments) }
	edit := func(f func(b []byte)) []byte { b := good(); f(b); return b }
	with := func(segs ...seg) []byte { return synthetic(segs[0].vaddr, segs) }
	rx := elf.PF_R | elf.PF_X
	many := make([]seg, MaxSegments+1)
	for i := range many {
		many[i] = seg{0x400000 + uint64(i)*pageSize, 16, 16, rx}
	}
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, "not an ELF"},
		{"text", []byte(strings.Repeat("#!/bin/sh\n", 20)), "not an ELF"},
		{"32-bit", edit(func(b []byte) { b[elf.EI_CLASS] = byte(elf.ELFCLASS32) }), "64-bit"},
		{"arm64", edit(func(b []byte) { le.PutUint16(b[18:], uint16(elf.EM_AARCH64)) }), "amd64"},
		{"pie", edit(func(b []byte) { le.PutUint16(b[16:], uint16(elf.ET_DYN)) }), "static"},
		{"interpreter", edit(func(b []byte) { le.PutUint32(b[ehdrSize:], uint32(elf.PT_INTERP)) }), "dynamically"},
		{"truncated headers", good()[:80], "cut off"},
		{"truncated segment", good()[:0x2000], "cut off"},
		{"no segments", synthetic(0, nil), "no loadable"},
		{"too many", with(many...), "at most 8"},
		{"overlaps boot", with(seg{0x1ff000, 0x10, 0x2000, rx}), "boot segment"},
		{"below boot", with(seg{0x1000, 0x10, 0x10, rx}), "boot segment"},
		{"overlap", with(seg{0x400000, 0x10, 0x1001, rx}, seg{0x401000, 0x10, 0x10, rx}), "overlaps the one before"},
		{"unaligned", with(seg{0x400010, 0x10, 0x10, rx}), "page boundary"},
		{"high", with(seg{0xffffffff80000000, 0x10, 0x10, rx}), "4 GiB"},
		{"too large", with(seg{0x3ffff000, 0x1010, 0x1010, rx}), "1 GiB"},
		{"wraps", with(seg{0x400000, 0x10, 1<<64 - 1, rx}), "4 GiB"},
		{"file larger", with(seg{0x400000, 0x20, 0x10, rx}), "only 0x10 in memory"},
		{"entry outside", synthetic(0x800000, twoSegments), "entry point"},
		{"entry in data", synthetic(0x402000, twoSegments), "entry point"},
	} {
		_, err := Build(c.in, Options{Boot: []byte{0}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for name, o := range map[string]Options{
		"no boot":      {},
		"long boot":    {Boot: make([]byte, MaxBootCode+1)},
		"long cmdline": {Boot: []byte{0}, Cmdline: strings.Repeat("x", MaxCmdline+1)},
		"NUL":          {Boot: []byte{0}, Cmdline: "a\x00b"},
	} {
		if _, err := Build(good(), o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestLongestCmdlineEndsBelowPageTables(t *testing.T) {
	out, err := Build(synthetic(0x400000, twoSegments), Options{Boot: []byte{0}, Cmdline: strings.Repeat("x", MaxCmdline)})
	if err != nil {
		t.Fatal(err)
	}
	img, err := Read(out)
	if err != nil || len(img.Cmdline) != MaxCmdline || BootBase+img.BootSize > 0x110000 {
		t.Errorf("boot segment of %#x, %v", img.BootSize, err)
	}
}

func TestReadRefuses(t *testing.T) {
	if _, err := Read([]byte("x")); !errors.Is(err, ErrNotELF) {
		t.Error(err)
	}
	if _, err := Read(synthetic(0x400000, twoSegments)); !errors.Is(err, ErrNotImage) {
		t.Error(err)
	}
	out, _ := Build(synthetic(0x400000, twoSegments), Options{Boot: []byte{0}})
	if _, err := Read(out[:len(out)-1]); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Error(err)
	}
}

// linkedProgram links a real Go program once.
var linkedProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "elfimage")
	if err != nil {
		return "", err
	}
	src := filepath.Join(dir, "main.go")
	if err := os.WriteFile(src, []byte("package main\n\nfunc main() { println(1) }\n"), 0o666); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "prog")
	cmd := exec.Command("go", "build", "-o", out, src)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(string(text))
	}
	return out, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := linkedProgram(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func TestGoProgram(t *testing.T) {
	path, err := linkedProgram()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if BuildID(in[:min(len(in), 8192)]) == "" {
		t.Error("no build ID found")
	}
	if name, err := EntrySymbol(in); err != nil || name != "_rt0_amd64_linux" {
		t.Errorf("entry symbol %q, %v", name, err)
	}
	groups, err := Measure(in)
	if err != nil {
		t.Fatal(err)
	}
	sizes, sum := map[string]uint64{}, uint64(0)
	for _, g := range groups {
		sizes[g.Name] = g.Bytes
		sum += g.Bytes
	}
	if sizes[groupRuntime] < 100<<10 || sizes[groupApp] == 0 || sizes[groupBottom] != 0 {
		t.Errorf("groups %v", groups)
	}
	out, err := Build(in, Options{Boot: []byte{0}})
	if err != nil {
		t.Fatal(err)
	}
	if sum < uint64(len(out))/2 || sum > uint64(len(out)) {
		t.Errorf("parts of %d bytes in an image of %d", sum, len(out))
	}
	img, err := Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if img.Build == nil || img.Build.GoVersion != runtime.Version() {
		t.Errorf("build information %v", img.Build)
	}
}

func TestGroup(t *testing.T) {
	for name, want := range map[string]string{
		"main.main":                           groupApp,
		"example.com/a/b.(*T).M":              groupApp,
		"golang.org/x/sys/unix.X":             groupApp,
		"gopkg.in/yaml%2ev3.Node":             groupApp,
		"fmt.Println":                         groupStd,
		"encoding/json.Marshal":               groupStd,
		"runtime.mallocgc":                    groupRuntime,
		"internal/runtime/maps.(*Map).Get":    groupRuntime,
		"runtime.exoHeap":                     groupBottom,
		"_exo_start":                          groupBottom,
		modulePath + "/exo.Claim":             "exo",
		modulePath + "/exo/pci.Scan":          "exo",
		modulePath + "/libos/posix.Write":     "libos/posix",
		modulePath + "/libos/posix/linux.F":   "libos/posix/linux",
		modulePath + "/libos/fs/internal/x.F": "libos/fs",
		"type:main.T":                         groupData,
		"go:string.*":                         groupData,
		"slices.SortFunc[go.shape.[]example.com/x.T,go.shape.int]": groupStd,
	} {
		if got := group(name, nil); got != want {
			t.Errorf("%s is in %q, want %q", name, got, want)
		}
	}
}
