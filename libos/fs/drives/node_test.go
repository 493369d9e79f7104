package drives

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A simulated is a disk in memory, of blocks of a size that is set.
type simulated struct {
	*block.Memory
	blockSize int
	readOnly  bool
	serial    string
	gone      *error
}

func (d simulated) Info() block.Info {
	in := d.Memory.Info()
	in.BlockSize, in.ReadOnly, in.ID = d.blockSize, d.readOnly, d.serial
	return in
}

func (d simulated) check(off, n int64) error {
	in := d.Info()
	if *d.gone != nil {
		return *d.gone
	}
	return in.Check(off, n)
}

func (d simulated) Read(vec [][]byte, off int64) error {
	if err := d.check(off, block.Len(vec)); err != nil {
		return err
	}
	return d.Memory.Read(vec, off)
}

func (d simulated) Write(vec [][]byte, off int64) error {
	if err := d.check(off, block.Len(vec)); err != nil {
		return err
	}
	return d.Memory.Write(vec, off)
}

func (d simulated) Flush() error {
	return errors.Join(*d.gone, d.Memory.Flush())
}

func (d simulated) Discard(off, n int64) error {
	if err := d.check(off, n); err != nil {
		return err
	}
	return d.Memory.Discard(off, n)
}

func (d simulated) WriteAll(list []block.Piece) error {
	for _, x := range list {
		if err := d.Write(x.Vec, x.Off); err != nil {
			return err
		}
	}
	return nil
}

func (simulated) Use() block.Use { return block.Use{Read: block.Work{Requests: 1}} }

// simulate has the machine have one disk, of two partitions, which is known and closed. What is told of it is in the list that is given.
func simulate(t *testing.T, d simulated) (s *source, told *[]string) {
	t.Helper()
	table(d, [2]uint32{64, 256}, [2]uint32{512, 512})
	told = new([]string)
	was, changed := all.sources, fs.DiskChanged
	t.Cleanup(func() { all.sources, fs.DiskChanged = was, changed })
	fs.DiskChanged = func(u fs.DiskUse, known bool) {
		*told = append(*told, map[bool]string{true: "+", false: "-"}[known]+u.Name)
	}
	k := *virtioDisks
	k.count = 0
	s = &source{kind: &k}
	s.open = func(func(error)) []found { return []found{{d, "here"}} }
	all.sources = []*source{s}
	s.start(nil)
	s.users = 1
	s.units[0].partitions()
	s.leave()
	return s, told
}

// table writes a master boot record of partitions with first sector and sectors.
func table(d simulated, list ...[2]uint32) {
	b := make([]byte, d.blockSize)
	b[510], b[511] = 0x55, 0xaa
	for i, p := range list {
		e := b[446+16*i:]
		e[4] = 0x83
		binary.LittleEndian.PutUint32(e[8:], p[0])
		binary.LittleEndian.PutUint32(e[12:], p[1])
	}
	d.Memory.Write([][]byte{b}, 0)
}

func disk512() simulated {
	return simulated{Memory: block.NewMemory(make([]byte, 1<<20)), blockSize: 512, gone: new(error)}
}

func open(t *testing.T, minor int, write, exclusive bool, want syscall.Errno) fs.RawDisk {
	t.Helper()
	n, e := openNode(fs.Makedev(254, minor), write, exclusive)
	if e != want {
		t.Fatalf("minor %d, write %v, exclusive %v: %v, want %v", minor, write, exclusive, e, want)
	}
	return n
}

// TestNodeBytes reads and writes a node at any bytes, of blocks of two sizes, against a slice.
func TestNodeBytes(t *testing.T) {
	for _, size := range []int{512, 4096} {
		d := disk512()
		d.blockSize = size
		simulate(t, d)
		if size == 4096 { // of blocks that large the partitions begin elsewhere
			d = simulated{Memory: block.NewMemory(make([]byte, 3<<20)), blockSize: size, gone: new(error)}
			simulate(t, d)
		}
		n := open(t, 0, true, false, 0)
		total := n.Info().Size
		want := make([]byte, total)
		d.Memory.Read([][]byte{want}, 0)
		r := rand.New(rand.NewPCG(uint64(size), 1))
		for i := range 300 {
			off, count := r.Int64N(total+2000), r.IntN(3*size)
			if i%10 == 0 {
				count = most + r.IntN(3*size)
			}
			if r.IntN(2) == 0 {
				p := bytes.Repeat([]byte{byte(i)}, count)
				k, e := n.WriteAt(p, off)
				switch fit := max(0, min(int64(count), total-off)); {
				case off >= total && count > 0:
					if e != syscall.ENOSPC {
						t.Fatal(off, count, k, e)
					}
				case e != 0 || int64(k) != fit:
					t.Fatal(off, count, k, e)
				default:
					copy(want[min(off, total):], p)
				}
			}
			p := make([]byte, count)
			k, e := n.ReadAt(p, off)
			if fit := max(0, min(int64(count), total-off)); e != 0 || int64(k) != fit || !bytes.Equal(p[:k], want[min(off, total):][:k]) {
				t.Fatal(off, count, k, e)
			}
		}
		got := make([]byte, total)
		d.Memory.Read([][]byte{got}, 0)
		if !bytes.Equal(got, want) {
			t.Errorf("blocks of %d: other bytes are on the disk", size)
		}
		n.Close()
		n.Close()
	}
}

// TestNodeTogether has many write parts of one block at a time: none is lost.
func TestNodeTogether(t *testing.T) {
	simulate(t, disk512())
	var wg sync.WaitGroup
	for i := range 8 {
		n := open(t, 1, true, false, 0)
		wg.Go(func() {
			defer n.Close()
			for range 50 {
				n.WriteAt([]byte{byte(i + 1)}, int64(i))
				n.WriteAt(make([]byte, 512), 512)
			}
		})
	}
	wg.Wait()
	n := open(t, 1, false, false, 0)
	defer n.Close()
	b := make([]byte, 8)
	if n.ReadAt(b, 0); string(b) != "\x01\x02\x03\x04\x05\x06\x07\x08" {
		t.Errorf("%v", b)
	}
}

// TestOwners: what belongs to a volume is read only; who wants something alone gets it, or nobody else has.
func TestOwners(t *testing.T) {
	d := disk512()
	s, _ := simulate(t, d)
	open(t, 3, false, false, syscall.ENXIO)
	open(t, 16, false, false, syscall.ENXIO)
	hold := open(t, 0, false, false, 0) // so that the disk stays open
	defer hold.Close()
	volume := s.units[0].parts[0]
	whole := &shared{disk: s.units[0].disk, of: s, unit: s.units[0]}

	w := open(t, 1, true, false, 0)
	if _, err := Claim(volume, "/data"); err == nil || !strings.Contains(err.Error(), "/dev/vda1 open: end that use first") {
		t.Error(err)
	}
	if release, err := Claim(s.units[0].parts[1], "/other"); err != nil {
		t.Error(err)
	} else {
		release()
	}
	w.Close()
	release, err := Claim(volume, "/data")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []block.Device{volume, whole} {
		if _, err := Claim(other, "/again"); err == nil || !strings.Contains(err.Error(), "in use by /data") {
			t.Error(err)
		}
	}
	open(t, 1, true, false, syscall.EBUSY)
	open(t, 1, false, true, syscall.EBUSY)
	open(t, 0, false, true, syscall.EBUSY)
	open(t, 1, false, false, 0).Close()
	open(t, 2, true, true, 0).Close()

	// All of the disk may be written but for the volume, 64 to 319 of its sectors.
	n := open(t, 0, true, false, 0)
	if e := n.Rescan(); e != syscall.EBUSY {
		t.Error(e)
	}
	for _, c := range []struct {
		off, size int64
		want      syscall.Errno
	}{{0, 64 * 512, 0}, {64*512 - 1, 2, syscall.EBUSY}, {0, 64*512 + 1, syscall.EBUSY}, {100 * 512, 512, syscall.EBUSY}, {320*512 - 1, 1, syscall.EBUSY}, {320 * 512, 5, 0}} {
		before := make([]byte, 1<<20)
		d.Memory.Read([][]byte{before}, 0)
		p := before[c.off:][:c.size]
		if _, e := n.WriteAt(slices.Clone(p), c.off); e != c.want {
			t.Errorf("%d bytes at %d: %v, want %v", c.size, c.off, e, c.want)
		}
		if e := n.Discard(c.off&^511, (c.off+c.size+511)&^511-c.off&^511); c.want != 0 && e != c.want {
			t.Errorf("discard %d bytes at %d: %v, want %v", c.size, c.off, e, c.want)
		}
		d.Memory.Write([][]byte{before}, 0)
	}
	n.Close()
	release()
	release()
	a := open(t, 1, true, true, 0)
	open(t, 1, false, true, syscall.EBUSY)
	open(t, 0, false, true, syscall.EBUSY)
	open(t, 1, true, false, 0).Close()
	if _, err := Claim(whole, "/all"); err == nil {
		t.Error("claimed what another has alone")
	}
	a.Close()
	if release, err = Claim(whole, "/all"); err != nil {
		t.Fatal(err)
	}
	for minor := range 3 {
		open(t, minor, true, false, syscall.EBUSY)
		open(t, minor, false, true, syscall.EBUSY)
	}
	release()
	if len(s.units[0].owners) != 1 {
		t.Errorf("%d owners are left", len(s.units[0].owners))
	}
	if release, err := Claim(block.NewMemory(nil), "/x"); err != nil {
		t.Error(err)
	} else {
		release()
	}
}

// TestNodeErrors: a disk that is gone, one that takes no writes, and what makes no sense.
func TestNodeErrors(t *testing.T) {
	d := disk512()
	simulate(t, d)
	n := open(t, 2, true, false, 0)
	b := make([]byte, 100)
	for _, c := range [][2]int64{{1, 512}, {0, 511}, {0, 0}, {0, 513 * 512}, {-512, 512}, {512 * 512, 512}} {
		if e := n.Discard(c[0], c[1]); e != syscall.EINVAL {
			t.Errorf("discard %v: %v", c, e)
		}
	}
	if e := n.Discard(0, 512*512); e != 0 {
		t.Error(e)
	}
	*d.gone = errors.New("gone")
	_, read := n.ReadAt(b, 0)
	_, whole := n.WriteAt(make([]byte, 512), 0)
	_, part := n.WriteAt(b, 0)
	for i, e := range []syscall.Errno{read, whole, part, n.Sync(), n.Discard(0, 512)} {
		if e != syscall.EIO {
			t.Errorf("%d: %v", i, e)
		}
	}
	*d.gone = nil
	n.Close()
	d.readOnly = true
	simulate(t, d)
	n = open(t, 0, true, false, 0)
	if _, e := n.WriteAt(b, 1<<21); e != syscall.EPERM {
		t.Error(e)
	}
	if e := n.Discard(0, 512); e != syscall.EPERM {
		t.Error(e)
	}
	n.Close()
}

// TestRescan: names come and go with the table, what stays is counted on, and what is known stays while the disk is closed.
func TestRescan(t *testing.T) {
	d := disk512()
	s, told := simulate(t, d)
	want := func(what string, list ...string) {
		t.Helper()
		slices.Sort(*told)
		if !slices.Equal(*told, list) {
			t.Errorf("%s: %v, want %v", what, *told, list)
		}
		*told = nil
	}
	names := func() (text string) {
		for _, u := range uses() {
			text += u.Name + " "
		}
		return text
	}
	want("at first", "+vda", "+vda1", "+vda2")
	if got := names(); got != "vda vda1 vda2 " || s.units[0].disk != nil {
		t.Error(got)
	}
	n := open(t, 1, false, false, 0)
	want("opened again")
	if u := uses()[0]; u.Read.Requests != 2 {
		t.Errorf("%d requests", u.Read.Requests)
	}
	all := open(t, 0, true, false, 0)
	if e := all.Rescan(); e != syscall.EBUSY {
		t.Error(e)
	}
	if e := n.Rescan(); e != syscall.EINVAL {
		t.Error(e)
	}
	n.Close()
	first := s.units[0].parts[0]
	table(d, [2]uint32{64, 256}, [2]uint32{600, 100}, [2]uint32{800, 100})
	if e := all.Rescan(); e != 0 {
		t.Error(e)
	}
	want("another table", "+vda2", "+vda3")
	if s.units[0].parts[0] != first {
		t.Error("what stayed is another")
	}
	table(d, [2]uint32{64, 256})
	if e := all.Rescan(); e != 0 {
		t.Error(e)
	}
	want("two less", "-vda2", "-vda3")
	all.Close()
	if got := names(); got != "vda vda1 " {
		t.Error(got)
	}
	table(d) // somebody else has written it meanwhile
	open(t, 1, false, false, syscall.ENXIO)
	want("when it is opened", "-vda1")
	if got := names(); got != "vda " {
		t.Error(got)
	}
	s.open = func(func(error)) []found { return nil } // it does not answer any more
	open(t, 0, false, false, syscall.ENXIO)
	if got := names(); got != "vda " {
		t.Error(got)
	}
}

// TestNamesStayWithDisks has a host's driver start again, and find other units than it found before: no name is another disk's.
func TestNamesStayWithDisks(t *testing.T) {
	was, change := all.sources, fs.DiskChanged
	t.Cleanup(func() { all.sources, fs.DiskChanged = was, change })
	var told []string
	fs.DiskChanged = func(u fs.DiskUse, known bool) {
		told = append(told, map[bool]string{true: "+", false: "-"}[known]+u.Name)
	}
	unit := func(place, serial string) found {
		d := disk512()
		d.serial = serial
		table(d, [2]uint32{64, 256})
		d.Memory.Write([][]byte{append([]byte(place+serial), make([]byte, 500)...)[:512]}, 64*512)
		return found{d, place}
	}
	a, b, c := unit("a", ""), unit("b", "1"), unit("c", "1") // two have one serial number
	k := *scsiDisks
	k.count = 0
	s := &source{kind: &k}
	s.open = func(func(error)) []found { return []found{b, c} } // the first one does not answer yet
	all.sources = []*source{s}
	const one, two, three, four = 0, 16, 32, 48 // minor numbers of sda and so on; its first partition has the next

	// finds has the driver find a list, and says what is told of meanwhile.
	finds := func(what string, list []found, want ...string) {
		t.Helper()
		told = nil
		s.open = func(func(error)) []found { return list }
		disks, _ := Open(func(err error) { t.Error(err) })
		for _, d := range disks {
			Partitions(d)
			defer d.Close()
		}
		if slices.Sort(told); !slices.Equal(told, want) {
			t.Errorf("%s: told %v, want %v", what, told, want)
		}
	}
	// is opens a disk and its partition, to be written, each while the driver does not run, and looks whose bytes there are; "" for ENXIO.
	is := func(minor int, want string) {
		t.Helper()
		for i, off := range []int64{64 * 512, 0} {
			n, e := openNode(fs.Makedev(8, minor+i), true, false)
			if want == "" {
				if e != syscall.ENXIO {
					t.Errorf("minor %d: %v, want ENXIO", minor+i, e)
				}
				continue
			}
			if e != 0 {
				t.Errorf("minor %d: %v", minor+i, e)
				continue
			}
			p := make([]byte, 10)
			if n.ReadAt(p, off); string(bytes.TrimRight(p, "\x00")) != want {
				t.Errorf("minor %d is %q, want %q", minor+i, p, want)
			}
			if _, e := n.WriteAt([]byte(want), off); e != 0 {
				t.Errorf("minor %d: %v", minor+i, e)
			}
			n.Close()
		}
	}
	reads := func() (list []uint64) {
		for _, u := range uses() {
			if u.Partition == 0 {
				list = append(list, u.Read.Requests)
			}
		}
		return list
	}

	finds("at first", []found{b, c}, "+sda", "+sda1", "+sdb", "+sdb1")
	finds("one more, in front", []found{a, b, c}, "+sdc", "+sdc1")
	is(one, "b1")
	is(two, "c1")
	is(three, "a")
	before := reads() // one for each time that the driver found a disk
	finds("the first is missing", []found{a, c})
	if got := reads(); len(got) != 3 || got[0] != before[0] || got[1] != before[1]+1 || got[2] != before[2]+1 {
		t.Errorf("of three disks %v were counted, then of the second and third %v", before, got)
	}
	is(one, "")
	is(two, "c1")
	is(three, "a")
	finds("two are missing", []found{c})
	is(two, "c1")
	is(three, "")
	finds("all are back, in another order", []found{c, b, a})
	is(one, "b1")
	is(two, "c1")
	is(three, "a")

	finds("no serial number this time", []found{a, unit("b", ""), c})
	is(one, "b")
	finds("one that had none has one", []found{unit("a", "9"), b, c})
	is(one, "b1")
	is(three, "a9")
	other := unit("b", "2")
	finds("another disk where the first was", []found{other, c, unit("a", "9")}, "+sdd", "+sdd1", "-sda", "-sda1")
	is(one, "")
	is(two, "c1")
	is(four, "b2")

	// A disk that is missing while the driver runs for another one is not opened either, and is not looked for.
	s.open = func(func(error)) []found { return []found{c} }
	n, e := openNode(fs.Makedev(8, two), false, false)
	if e != 0 {
		t.Fatal(e)
	}
	is(three, "")
	n.Close()
	if s.users != 0 {
		t.Errorf("%d are counted, and none has a disk open", s.users)
	}
}

// TestSure: the order of disks is that of the machine up to the first one that cannot be opened, or is there no more.
func TestSure(t *testing.T) {
	was := all.sources
	t.Cleanup(func() { all.sources = was })
	all.sources = nil
	k := *virtioDisks
	k.count = 0
	unit := func(place string) []found { return []found{{disk512(), place}} }
	for _, place := range []string{"a", "b", "c"} {
		all.sources = append(all.sources, &source{kind: &k, open: func(func(error)) []found { return unit(place) }})
	}
	opens := func(what string, wantList, wantSure int) {
		t.Helper()
		list, sure := Open(func(error) {})
		if len(list) != wantList || sure != wantSure {
			t.Errorf("%s: %d disks, %d sure, want %d and %d", what, len(list), sure, wantList, wantSure)
		}
		for _, d := range list {
			d.Close()
		}
	}
	opens("all", 3, 3)
	second := all.sources[1].open
	all.sources[1].open = func(tell func(error)) []found { tell(block.ErrInjected); return nil }
	opens("without the second", 2, 1)
	all.sources[1].open = func(func(error)) []found { return nil }
	opens("the second is there no more", 2, 1)
	all.sources[1].open = func(tell func(error)) []found { tell(block.ErrInjected); return unit("b") }
	opens("the second is one of several units", 3, 1)
	all.sources[1].open = second
	opens("all again", 3, 3)
}

// TestUnreadableTable: partitions stay that are known while the table cannot be read, all of it or a logical partition's.
func TestUnreadableTable(t *testing.T) {
	d := disk512()
	s, told := simulate(t, d)
	names := func(want string) {
		t.Helper()
		text := ""
		for _, u := range uses() {
			text += u.Name + " "
		}
		if text != want || len(*told) != 0 {
			t.Errorf("there are %s, told is %v; want %s", text, *told, want)
		}
	}
	n := open(t, 0, true, false, 0)
	*told = nil
	*d.gone = errors.New("it cannot be read just now")
	if e := n.Rescan(); e != syscall.EIO {
		t.Error(e)
	}
	names("vda vda1 vda2 ")
	*d.gone = nil
	p := open(t, 2, false, false, 0)
	p.ReadAt(make([]byte, 512), 0)
	p.Close()
	*d.gone = errors.New("it cannot be read just now")
	n.Close()
	open(t, 1, true, false, syscall.EIO)
	names("vda vda1 vda2 ")
	n = open(t, 0, true, false, 0)
	names("vda vda1 vda2 ")
	*d.gone = nil
	open(t, 1, true, false, 0).Close() // while the driver runs
	n.Close()
	open(t, 2, true, false, 0).Close()
	names("vda vda1 vda2 ")
	if got := uses()[2].Read.Requests; got != 1 {
		t.Errorf("%d requests to vda2 are counted", got)
	}

	b := make([]byte, 512) // the second one becomes an extended one, with one logical in it
	d.Memory.Read([][]byte{b}, 0)
	b[446+16+4] = 5
	d.Memory.Write([][]byte{b}, 0)
	logical := make([]byte, 512)
	logical[510], logical[511], logical[446+4] = 0x55, 0xaa, 0x83
	binary.LittleEndian.PutUint32(logical[446+8:], 8)
	binary.LittleEndian.PutUint32(logical[446+12:], 100)
	d.Memory.Write([][]byte{logical}, 512*512)
	n = open(t, 0, true, false, 0)
	if e := n.Rescan(); e != 0 {
		t.Error(e)
	}
	n.Close()
	*told = nil
	names("vda vda1 vda5 ")
	s.open = func(func(error)) []found { return []found{{holed{d, 512 * 512}, "here"}} }
	open(t, 5, false, false, syscall.EIO)
	open(t, 1, true, false, 0).Close()
	names("vda vda1 vda5 ")
	s.open = func(func(error)) []found { return []found{{d, "here"}} }
	open(t, 5, false, false, 0).Close()
}

// A holed is a disk of which a block cannot be read.
type holed struct {
	simulated
	at int64
}

func (d holed) Read(vec [][]byte, off int64) error {
	if off <= d.at && d.at < off+block.Len(vec) {
		return errors.New("a block cannot be read")
	}
	return d.simulated.Read(vec, off)
}
