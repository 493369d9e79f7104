package cffs

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// script is operations that come by most of the code.
func script() []op {
	list := []op{{kind: "mkdir", a: "d"}, {kind: "write", a: "d/a", off: 100, n: 9000}, {kind: "sync"}, {kind: "write", a: "d/a", off: 4096, n: 20}, {kind: "link", a: "d/a", b: "b"},
		{kind: "fsync", a: "b"}, {kind: "rename", a: "b", b: "d/c"}, {kind: "truncate", a: "d/c", off: 5000}, {kind: "setxattr", a: "d/c", b: "x", n: 1500}, {kind: "sync"},
		{kind: "symlink", a: "l", n: 900}, {kind: "unlink", a: "d/a"}, {kind: "unlink", a: "d/c"}, {kind: "mkdir", a: "e"}, {kind: "rename", a: "d", b: "e/d"}, {kind: "sync"}}
	for i := range 60 {
		list = append(list, op{kind: "write", a: fmt.Sprint("f", i), n: 100})
	}
	return append(list, op{kind: "sync"}, op{kind: "unlink", a: "f3"}, op{kind: "write", a: "f4", off: 300, n: 100}, op{kind: "sync"},
		op{kind: "write", a: "f5", n: 20_000}, op{kind: "sync"}, op{kind: "punch", a: "f5", off: 1000, n: 12_000}, op{kind: "exchange", a: "f5", b: "f6"}, op{kind: "sync"})
}

// sample is a volume with something of all kinds.
func sample(t testing.TB) *block.Memory {
	d := formatted(t, minBlocks)
	f := mount(t, d, manual)
	tr := treeOf(f)
	for _, x := range script() {
		if e := x.do(tr); e != 0 {
			t.Fatal(x, e)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// use does to a volume, mounted or not, what programs do; whatever is on it nothing may panic or hang.
func use(d block.Device) {
	f, err := Mount(d, manual)
	if err != nil {
		return
	}
	tr := treeOf(f)
	dump(tr)
	for _, x := range script() {
		x.do(tr)
	}
	f.Close()
}

// FuzzDamage changes bytes of a volume, with sums that are wrong or made right again.
func FuzzDamage(f *testing.F) {
	d := sample(f)
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add(bytes.Repeat([]byte{1, 7, 40, 3, 9, 200}, 20))
	good := d.Bytes()
	var busy []int // blocks that hold something
	for b := range len(good) / BlockSize {
		if len(bytes.Trim(good[b*BlockSize:(b+1)*BlockSize], "\x00")) > 0 {
			busy = append(busy, b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		disk := slices.Clone(good)
		for i := 0; len(b) >= 5 && i < 50; i++ {
			blk := disk[busy[int(b[1])%len(busy)]*BlockSize:][:BlockSize]
			at := (int(b[2])<<8 | int(b[3])) % BlockSize
			if b[0]&2 != 0 { // near the beginning, where headers are
				at %= 200
			}
			blk[at] = b[4]
			b = b[5:]
		}
		reseal(disk)
		m := block.NewMemory(disk)
		Check(m, true)
		for _, o := range []SalvageOptions{{}, {Back: true, Holes: true}} {
			c := block.NewMemory(slices.Clone(disk))
			if done, err := Salvage(c, o); err == nil && len(done) > 0 {
				if r, err := Check(c, o.Holes); err != nil || len(r.Problems) > 0 {
					t.Errorf("after a salvage: %v %v; it did\n%s", err, r, strings.Join(done, "\n"))
				}
			}
			if o.Holes {
				use(c)
			}
		}
		use(m)
	})
}

// reseal makes the sums right, so that what is behind them is reached: of nodes from the leaves up, of bitmaps and superblocks.
func reseal(disk []byte) {
	sb := func(i uint64) []byte { return disk[i*BlockSize:][:BlockSize] }
	var fix func(addr uint64, depth int) uint32
	fix = func(addr uint64, depth int) uint32 {
		if addr >= uint64(len(disk)/BlockSize) || depth > 8 {
			return 0
		}
		b := sb(addr)
		uuid := [16]byte(disk[16:32])
		if n := decodeNode(b, addr, &uuid); n != nil && n.level > 0 {
			at := nodeHeader
			for _, k := range n.kids {
				at += 2 + int(le.Uint16(b[at:]))
				le.PutUint32(b[at+8:], fix(k.addr, depth+1))
				at += 12
			}
		}
		return seal(b)
	}
	for _, i := range []uint64{0, 1} {
		b := sb(i)
		le.PutUint32(b[96:], fix(le.Uint64(b[88:]), 0))
		seal(b)
	}
	for _, i := range []uint64{bitmapAt, bitmapAt + 1} {
		seal(sb(i))
	}
}

// TestDamage changes single bytes all over a volume: what is read is what was written, or an error, and Check tells.
func TestDamage(t *testing.T) {
	d := sample(t)
	good := slices.Clone(d.Bytes())
	f := mount(t, block.NewMemory(slices.Clone(good)), Options{ReadOnly: true})
	want := dump(treeOf(f))
	r := rand.New(rand.NewPCG(8, 8))
	told, silent := 0, 0
	for b := range len(good) / BlockSize {
		if len(bytes.Trim(good[b*BlockSize:(b+1)*BlockSize], "\x00")) == 0 {
			continue
		}
		for range 3 {
			disk := slices.Clone(good)
			disk[b*BlockSize+r.IntN(BlockSize)] ^= 1 << r.IntN(8)
			m := block.NewMemory(disk)
			rep, err := Check(m, true)
			found := err != nil || len(rep.Problems) > 0
			f, err := Mount(m, Options{ReadOnly: true})
			if err == nil {
				if got := dump(treeOf(f)); got != want {
					// Another answer must be an error, or an older state of the whole.
					if !strings.Contains(got, "input/output error") && !found {
						t.Errorf("block %d: another answer, and no error:\n%s", b, got)
					}
				}
			}
			if found {
				told++
			} else {
				silent++
			}
			use(block.NewMemory(disk))
		}
	}
	if told < 50 {
		t.Errorf("only %d damages were found", told)
	}
	t.Logf("%d found, %d in blocks that nobody uses", told, silent)
}

// TestRefusals holds Mount to what it says about disks that it cannot mount, and to writing nothing there.
func TestRefusals(t *testing.T) {
	good := sample(t).Bytes()
	with := func(off int, s string) []byte {
		b := make([]byte, 4<<20)
		copy(b[off:], s)
		return b
	}
	newer := slices.Clone(good)
	for i := range 2 {
		le.PutUint32(newer[i*BlockSize+4:], 2)
		seal(newer[i*BlockSize:][:BlockSize])
	}
	for name, c := range map[string]struct {
		disk []byte
		says string
	}{
		"empty":    {make([]byte, 4<<20), "not formatted"},
		"tiny":     {make([]byte, 8192), "too small"},
		"nothing":  {nil, "too small"},
		"ext4":     {with(1024+56, "\x53\xef"), "ext4"},
		"GPT":      {with(512, "EFI PART"), "GPT"},
		"qcow2":    {with(0, "QFI\xfb"), "qcow2"},
		"FAT":      {with(82, "FAT32   "), "FAT"},
		"rubbish":  {with(3000, "hello"), "another kind"},
		"short":    {good[:len(good)-512*BlockSize/2], "cut short"},
		"newer":    {newer, "format that is not known"},
		"no super": {append(append(make([]byte, 2*BlockSize), good[2*BlockSize:len(good)-2*BlockSize]...), make([]byte, 2*BlockSize)...), "no cffs volume"},
	} {
		before := slices.Clone(c.disk)
		_, err := Mount(block.NewMemory(c.disk), manual)
		var m *MountError
		if !errors.As(err, &m) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(before, c.disk) {
			t.Errorf("%s: the disk was written to", name)
		}
		if name == "empty" || name == "tiny" || name == "nothing" || name == "no super" {
			continue
		}
		if err := Format(block.NewMemory(c.disk), FormatOptions{}); err == nil {
			t.Errorf("%s: formatted without being forced", name)
		}
	}
}

// TestForeign has what is on a disk named: what the host's tools and Go's own packages make, and beginnings as their formats say. To mount it says the same, and nothing is taken for an empty disk.
func TestForeign(t *testing.T) {
	at := func(size, off int, s string) []byte {
		b := make([]byte, size)
		copy(b[off:], s)
		return b
	}
	made := func(size int64, tool string, args ...string) []byte {
		t.Helper()
		file := filepath.Join(t.TempDir(), "disk")
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, size)); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, append(args, file)...).CombinedOutput(); err != nil {
			t.Fatalf("%s (ci/install brings it): %v\n%s", tool, err, out)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var zipped, archive bytes.Buffer
	g := gzip.NewWriter(&zipped)
	g.Write(sample(t).Bytes())
	g.Close()
	z := zip.NewWriter(&archive)
	if w, err := z.Create("f"); err == nil {
		w.Write(make([]byte, 1000))
	}
	z.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	boot := func(s string) []byte { // as NTFS and others begin, which PCs can boot from
		b := at(4<<20, 3, s)
		b[510], b[511] = 0x55, 0xaa
		return b
	}
	cut := func(b []byte) []byte { return b[:len(b)&^511] }
	for _, c := range []struct {
		disk []byte
		says string
	}{
		{made(4<<20, "/sbin/mkswap", "-q"), "swap space"},
		{made(4<<20, "/sbin/mkfs.fat", "-F", "12"), "a FAT filesystem"},
		{append(cut(zipped.Bytes()), make([]byte, 4<<20)...), "a gzip file"},
		{append(archive.Bytes(), make([]byte, 512-archive.Len()%512)...), "a zip file"},
		{cut(program), "an ELF file"},
		{boot("NTFS    "), "an NTFS filesystem"},
		{boot("EXFAT   "), "an exFAT filesystem"},
		{boot("-FVE-FS-"), "BitLocker"},
		{boot(""), "a boot sector or partition table"},
		{at(4<<20, 0, "LUKS\xba\xbe\x00\x02"), "LUKS"},
		{at(4<<20, 512, "LABELONE"), "LVM2"},
		{at(4<<20, 0, "hsqs"), "a squashfs filesystem"},
		{at(4<<20, 1024, "\x10\x20\xf5\xf2"), "an F2FS filesystem"},
		{at(4<<20, 4096, "\xfc\x4e\x2b\xa9"), "a Linux RAID"},
		{at(4<<20, 257, "ustar"), "a tar file"},
		{at(4<<20, 3000, "hello"), "bytes of another kind"},
		{make([]byte, 512), "too small a disk for a volume: 512 bytes"},
		{nil, "too small a disk for a volume: 0 bytes"},
	} {
		dev := block.NewMemory(c.disk)
		what := Foreign(dev)
		if !strings.Contains(what, c.says) {
			t.Errorf("%s is taken for %s", c.says, what)
		}
		if _, err := Mount(dev, manual); err == nil || !strings.HasSuffix(err.Error(), "found "+what) {
			t.Errorf("%s: to mount it says %v", c.says, err)
		}
	}
}

// TestSuperblockCopies mounts a volume whose first superblocks are gone.
func TestSuperblockCopies(t *testing.T) {
	d := sample(t)
	f := mount(t, d, Options{ReadOnly: true})
	want := dump(treeOf(f))
	clear(d.Bytes()[:2*BlockSize])
	if r, err := Check(d, true); err != nil || len(r.Problems) == 0 || r.Problems[0].Loss {
		t.Errorf("%v %+v", err, r)
	}
	if done, err := Repair(d, false); err != nil || len(done) == 0 {
		t.Error(done, err)
	}
	f = mount(t, d, manual)
	if got := dump(treeOf(f)); got != want {
		t.Error(got)
	}
	f.Close()
	check(t, d)
}

// TestRepairLeak frees what counts as used and is not.
func TestRepairLeak(t *testing.T) {
	d := sample(t)
	f := mount(t, d, manual)
	f.al.take(7)
	f.change++
	f.Close()
	r, err := Check(d, true)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Loss || !strings.Contains(r.Problems[0].What, "7 blocks") {
		t.Fatalf("%v %+v", err, r.Problems)
	}
	if done, err := Repair(d, false); err != nil || len(done) != 1 {
		t.Error(done, err)
	}
	check(t, d)
}

// TestRepairUnknown: a volume with features that one must know to write to it, and that are not known, is not repaired, in no way.
func TestRepairUnknown(t *testing.T) {
	d := sample(t)
	f := mount(t, d, manual)
	f.sb.writeNeeds = 1 << 40
	f.al.take(7)
	f.change++
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Check(d, true)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Loss {
		t.Fatalf("%v %+v", err, r.Problems)
	}
	was := bytes.Clone(d.Bytes())
	for what, repair := range map[string]func() ([]string, error){
		"repair":  func() ([]string, error) { return Repair(d, true) },
		"salvage": func() ([]string, error) { return Salvage(d, SalvageOptions{Back: true, Holes: true}) },
	} {
		if done, err := repair(); err == nil || len(done) > 0 || !strings.Contains(err.Error(), "a format that is not known here") {
			t.Errorf("%s: %v, %v", what, done, err)
		}
		if !bytes.Equal(was, d.Bytes()) {
			t.Fatal(what, "writes")
		}
	}
	if f := mount(t, d, manual); f.writable() != syscall.EROFS {
		t.Error("it is mounted for writing")
	}
}

// TestRepairUnmounts repairs what a crash left: the repair is no crash's, so that damage of what it wrote is told, and does not look like a commit that did not come to its end.
func TestRepairUnmounts(t *testing.T) {
	d := sample(t)
	f := mount(t, d, manual)
	f.al.take(7)
	f.change++
	f.Sync()
	crashed := block.NewMemory(bytes.Clone(d.Bytes()))
	f.Close()
	if done, err := Repair(crashed, false); err != nil || len(done) != 1 {
		t.Fatal(done, err)
	}
	sb, _, after, _, err := readSuper(crashed)
	if err != nil || after != nil || sb.owner != [16]byte{} || len(sb.wrote) > 0 {
		t.Errorf("%v, %v: owner %x, a manifest of %d", err, after, sb.owner, len(sb.wrote))
	}
	if f := mount(t, crashed, manual); !f.Clean() {
		t.Error("it counts as mounted")
	}
}

// TestOwner mounts a volume twice: the first to have mounted it writes nothing more, and says why.
func TestOwner(t *testing.T) {
	d := formatted(t, minBlocks)
	said := ""
	o := manual
	o.Log = func(s string) { said = s }
	first := mount(t, d, o)
	one := treeOf(first)
	for _, x := range []op{{kind: "write", a: "kept", n: 100}, {kind: "sync"}, {kind: "write", a: "lost", n: 100}} {
		if e := x.do(one); e != 0 {
			t.Fatal(e)
		}
	}
	second := mount(t, d, manual)
	if e := (op{kind: "sync"}).do(one); e != syscall.EIO || !strings.Contains(said, "another image") {
		t.Error(e, said)
	}
	if e := (op{kind: "write", a: "more", n: 1}).do(one); e != syscall.EIO {
		t.Error(e)
	}
	two := treeOf(second)
	for _, x := range []op{{kind: "write", a: "second", n: 100}, {kind: "sync"}} {
		if e := x.do(two); e != 0 {
			t.Error(e)
		}
	}
	if got := dump(two); !strings.Contains(got, "/kept") || strings.Contains(got, "/lost") || !strings.Contains(got, "/second") {
		t.Error(got)
	}
	second.Close()
	check(t, d)
}

// TestGrows gives a volume more disk, from within a group to several groups.
func TestGrows(t *testing.T) {
	t.Parallel()
	d := formatted(t, minBlocks)
	disk := d.Bytes()
	want := oracle()
	for i, blocks := range []int{minBlocks, 700, groupBlocks - 1, groupBlocks + 3, groupBlocks + 500} {
		disk = append(disk, make([]byte, blocks*BlockSize-len(disk))...)
		d = block.NewMemory(disk)
		f := mount(t, d, manual)
		var s core.Statfs
		f.Statfs(&s)
		if s.Blocks != uint64(blocks) {
			t.Errorf("%d blocks of %d", s.Blocks, blocks)
		}
		x := op{kind: "write", a: fmt.Sprint("f", i), n: 50 * BlockSize, fill: byte(i)}
		if i == 4 {
			x.n = (groupBlocks - 900) * BlockSize // so that it is there as well
		}
		if a, b := x.do(treeOf(f)), x.do(want); a != 0 || b != 0 {
			t.Fatal(a, b)
		}
		f.Close()
		check(t, d)
		f = mount(t, d, Options{ReadOnly: true})
		if a, b := dump(treeOf(f)), dump(want); a != b {
			t.Errorf("%d blocks: %s\n%s", blocks, a, b)
		}
	}
}

// TestGrowsMounted gives a mounted volume more disk: it is there at once, durably, and without it a full volume takes more.
func TestGrowsMounted(t *testing.T) {
	t.Parallel()
	d := formatted(t, minBlocks)
	f := mount(t, d, manual)
	tr := treeOf(f)
	if e := (op{kind: "write", a: "large", n: minBlocks * BlockSize}).do(tr); e != syscall.ENOSPC {
		t.Fatal(e)
	}
	for i, blocks := range []uint64{700, groupBlocks + 500} {
		d.Grow(int(blocks) * BlockSize)
		var s core.Statfs
		for f.Statfs(&s); s.Blocks != blocks; f.Statfs(&s) {
			time.Sleep(time.Millisecond)
		}
		check(t, d) // as a crash would leave it
		if e := (op{kind: "write", a: fmt.Sprint("f", i), n: 100 * BlockSize}).do(tr); e != 0 {
			t.Error(e)
		}
	}
	want := dump(tr)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, d)
	if got := dump(treeOf(mount(t, d, Options{ReadOnly: true}))); got != want {
		t.Errorf("%s\n%s", got, want)
	}
}

// TestOrphans leaves files open that have no name, and a volume that is not unmounted: their blocks come back.
func TestOrphans(t *testing.T) {
	d := formatted(t, minBlocks)
	f := mount(t, d, manual)
	tr := treeOf(f)
	root := tr.Root()
	for _, x := range []op{{kind: "write", a: "a", n: 100_000}, {kind: "mkdir", a: "d"}, {kind: "sync"}} {
		x.do(tr)
	}
	a, _ := tr.Resolve(root, "a", 0)
	dir, _ := tr.Resolve(root, "d", 0)
	tmp, e := tr.Open(root, "d", syscall.O_RDWR|0x410000, 0o600, 0)
	if e != 0 {
		t.Fatal(e)
	}
	tmp.Node.(core.File).WriteAt(make([]byte, 50_000), 0)
	for _, x := range []op{{kind: "unlink", a: "a"}, {kind: "rmdir", a: "d"}} {
		if e := x.do(tr); e != 0 {
			t.Fatal(e)
		}
	}
	b := make([]byte, 10)
	if n, e := a.Node.(core.File).ReadAt(b, 500); n != 10 || e != 0 {
		t.Error(n, e)
	}
	if _, e := dir.Node.(core.Dir).Create("x", syscall.S_IFREG, 0); e != syscall.ENOENT {
		t.Error(e)
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	check(t, d) // what has no name is on the list
	for range 2 {
		f = mount(t, d, manual)
		if f.Sync() != 0 {
			t.Error("sync")
		}
		check(t, d)
	}
	var s core.Statfs
	if f.Statfs(&s); s.Blocks-s.Free > 160 {
		t.Errorf("%d blocks of %d are free", s.Free, s.Blocks)
	}
}

// TestDamagedOrphan damages what one of several files without a name left: the volume is mounted for writing, the others' blocks come back, and a check tells of it.
func TestDamagedOrphan(t *testing.T) {
	d := formatted(t, minBlocks)
	f := mount(t, d, manual)
	tr := treeOf(f)
	root := tr.Root()
	var files []core.Place
	for range 3 {
		p, e := tr.Open(root, ".", syscall.O_RDWR|0x410000, 0o600, 0)
		if e != 0 {
			t.Fatal(e)
		}
		p.Node.(core.File).WriteAt(make([]byte, 100_000), 0)
		files = append(files, p)
	}
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	damaged := files[1].Node.(*File).rec.ino
	f.mu.Lock()
	f.put(key(damaged, kindRecord), []byte("nothing"))
	f.mu.Unlock()
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	told := ""
	f = mount(t, d, Options{Manual: true, Log: func(s string) { told += s }})
	if e := (op{kind: "write", a: "a", n: 5000}).do(treeOf(f)); e != 0 {
		t.Error(e)
	}
	if e := f.Sync(); e != 0 {
		t.Error(e)
	}
	if !strings.Contains(told, "inode "+strconv.FormatUint(damaged, 10)+" keeps its space") {
		t.Errorf("told: %q", told)
	}
	var s core.Statfs
	if f.Statfs(&s); s.Blocks-s.Free > 200 {
		t.Errorf("%d blocks of %d are free", s.Free, s.Blocks)
	}
	r, err := Check(d, false)
	if err != nil || len(r.Problems) == 0 {
		t.Error("a check finds nothing:", err)
	}
}

var entries = flag.Int("entries", 20_000, "how many names TestManyNames puts into one directory")

// TestManyNames puts many names into one directory, among them long ones and such as are no UTF-8, and says how long that took, and what it takes of the disk and of the heap.
func TestManyNames(t *testing.T) {
	t.Parallel()
	n := *entries
	if testing.Short() {
		n = 2000
	}
	d := formatted(t, max(16384, n/4))
	f := mount(t, d, Options{})
	root := f.Root()
	name := func(i int) string {
		switch i % 3 {
		case 0:
			return fmt.Sprint(i)
		case 1:
			return fmt.Sprintf("\xff\xfe%d", i)
		}
		return fmt.Sprintf("%0255d", i)
	}
	began := time.Now()
	did := func(what string) {
		t.Helper()
		var s core.Statfs
		f.Statfs(&s)
		took := time.Since(began)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%s %d names in %v; %d KiB of the disk are in use, and %d KiB of the heap beside it", what, n, took.Round(time.Millisecond),
			(s.Blocks-s.Free)*uint64(s.BlockSize)>>10, (int64(m.HeapAlloc)-d.Info().Size)>>10)
		began = time.Now()
	}
	for i := range n {
		x, e := root.Create(name(i), syscall.S_IFREG|0o600, 0)
		if e != 0 {
			t.Fatal(i, e)
		}
		x.Unref()
	}
	did("created")
	seen := map[string]bool{}
	last := uint64(0)
	for more := true; more; { // 100 at a time
		more = false
		k := 0
		root.ReadDir(last, func(e *core.Entry) bool {
			if e.Cookie <= 2 || e.Cookie>>63 != 0 || e.Cookie <= last || seen[e.Name] {
				t.Fatal(e)
			}
			seen[e.Name], last, more = true, e.Cookie, true
			k++
			return k < 100
		})
	}
	if len(seen) != n {
		t.Errorf("%d names of %d", len(seen), n)
	}
	seen = nil
	did("listed")
	f.Close()
	check(t, d)
	f = mount(t, d, Options{})
	root = f.Root()
	did("checked and mounted")
	for i := range n {
		x, e := root.Lookup(name(i))
		if e != 0 {
			t.Fatal(i, e)
		}
		x.Unref()
	}
	did("found")
	for i := range n {
		if e := root.Unlink(name(i)); e != 0 {
			t.Fatal(i, e)
		}
	}
	if e := f.Sync(); e != 0 {
		t.Error(e)
	}
	did("removed")
	f.Close()
	check(t, d)
}

// TestInterval waits for the commit that nobody asks for.
func TestInterval(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits five seconds")
	}
	d := formatted(t, minBlocks)
	f := mount(t, d, Options{})
	(op{kind: "write", a: "a", n: 10}).do(treeOf(f))
	deadline := time.Now().Add(3 * Interval)
	for {
		f.mu.Lock()
		done := f.done == f.change
		f.mu.Unlock()
		if done {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
		time.Sleep(100 * time.Millisecond)
	}
	g := mount(t, block.NewMemory(slices.Clone(d.Bytes())), manual)
	if !strings.Contains(dump(treeOf(g)), "/a ") {
		t.Error("it was not durable")
	}
}
