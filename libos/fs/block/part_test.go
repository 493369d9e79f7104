package block

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// table is a disk of 8 MiB on which a tool of the host has made partitions.
func table(t testing.TB, script string) []byte {
	t.Helper()
	tool := "/sbin/sfdisk"
	if _, err := exec.LookPath(tool); err != nil {
		t.Fatal("sfdisk is missing: run ci/install, or apt-get install fdisk")
	}
	file := filepath.Join(t.TempDir(), "disk")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, 8<<20)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "-q", file)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	gpt      = "label: gpt\nstart=2048, size=4096, uuid=00112233-4455-6677-8899-AABBCCDDEEFF\nstart=8192, size=2048\n"
	logicals = "label: dos\nstart=2048, size=2048\nstart=4096, size=1024\nstart=5120, size=8192, type=5\nstart=15360, size=1024\nstart=6144, size=1024\nstart=8192, size=2048\nstart=11264, size=512\n"
	mbr      = "label: dos\nstart=2048, size=4096, type=c\nstart=8192, size=2048, type=83\n"
)

// TestPartitions finds what sfdisk has made, and moves bytes inside of it only.
func TestPartitions(t *testing.T) {
	for name, script := range map[string]string{"GPT": gpt, "MBR": mbr} {
		m := NewMemory(table(t, script))
		m.info.ID = "disk0"
		list := partitionsOf(t, m)
		if len(list) != 2 || list[0].at != 1<<20 || list[0].size != 2<<20 || list[1].at != 4<<20 || list[1].size != 1<<20 || list[1].Info().ID != "disk0p2" || list[0].GPT != (name == "GPT") {
			t.Fatalf("%s: %+v", name, list)
		}
		if want := map[string]string{"GPT": "00112233-4455-6677-8899-aabbccddeeff", "MBR": "00000000-0000-0000-0000-000000000000"}[name]; list[0].UUID() != want {
			t.Errorf("%s: GUID %s", name, list[0].UUID())
		}
		p := list[1]
		data := bytes.Repeat([]byte("x"), 512)
		if err := p.Write([][]byte{data}, 1024); err != nil || !bytes.Equal(m.Bytes()[4<<20+1024:][:512], data) {
			t.Error(name, err)
		}
		for _, off := range []int64{1 << 20, 1<<20 - 256, -512} {
			if p.Write([][]byte{data}, off) == nil || p.Read([][]byte{data}, off) == nil || p.Discard(off, 512) == nil {
				t.Errorf("%s: %d is inside", name, off)
			}
		}
		if name == "GPT" { // the copy at the end
			clear(m.Bytes()[512:1024])
			if n := len(partitionsOf(t, m)); n != 2 {
				t.Errorf("without the first header: %d", n)
			}
		}
	}
	if n := len(partitionsOf(t, NewMemory(make([]byte, 8<<20)))); n != 0 {
		t.Errorf("zeroes: %d", n)
	}
}

// TestLogical finds the logical partitions that sfdisk has made, by the numbers that it gives them, and ends where their chain does not.
func TestLogical(t *testing.T) {
	b := table(t, logicals)
	list := partitionsOf(t, NewMemory(b))
	want := [][3]int64{{1, 2048, 2048}, {2, 4096, 1024}, {4, 15360, 1024}, {5, 6144, 1024}, {6, 8192, 2048}, {7, 11264, 512}}
	for i, w := range want {
		if len(list) != len(want) || int64(list[i].Number) != w[0] || list[i].at != 512*w[1] || list[i].size != 512*w[2] || list[i].Start() != list[i].at {
			t.Fatalf("%d: %+v", i, list)
		}
	}
	// A chain that leads back into itself: the last table, which sfdisk puts right before its partition, names the one before it as the next.
	last := b[512*(11264-1):]
	if last[510] != 0x55 {
		t.Fatal("no table")
	}
	copy(last[tableAt+16:], []byte{4: 5})
	le.PutUint32(last[tableAt+16+8:], 8192-1-5120)
	le.PutUint32(last[tableAt+16+12:], 1)
	if n := len(partitionsOf(t, NewMemory(b))); n != 3+maxLogical {
		t.Errorf("%d partitions of a chain without end", n)
	}
}

// FuzzPartitions changes bytes of a table: whatever is found is inside the disk.
// A holed is a device of which blocks cannot be read.
type holed struct {
	*Memory
	blocks []int64
}

func (d holed) Read(vec [][]byte, off int64) error {
	for _, b := range d.blocks {
		if off <= b*512 && b*512 < off+Len(vec) {
			return errors.New("a block cannot be read")
		}
	}
	return d.Memory.Read(vec, off)
}

// TestUnreadableTables: a table that cannot be read is an error, and not an empty one. What is there twice may be lost once.
func TestUnreadableTables(t *testing.T) {
	const last = 8<<20/512 - 1
	for _, c := range []struct {
		script string
		blocks []int64
		want   int
		fails  bool
	}{
		{gpt, []int64{0}, 0, true}, {gpt, []int64{1}, 2, false}, {gpt, []int64{2}, 2, false}, {gpt, []int64{last}, 2, false}, {gpt, []int64{1, last}, 0, true}, {gpt, []int64{2, last - 1}, 0, true},
		{mbr, []int64{0}, 0, true}, {mbr, []int64{1, last}, 2, false},
		{logicals, []int64{5120}, 3, true},
	} {
		list, err := Partitions(holed{NewMemory(table(t, c.script)), c.blocks})
		if len(list) != c.want || (err != nil) != c.fails {
			t.Errorf("%q without blocks %d: %d partitions, %v", c.script, c.blocks, len(list), err)
		}
	}
}

// partitionsOf are the partitions of a device that can be read.
func partitionsOf(t testing.TB, d Device) []*Partition {
	t.Helper()
	list, err := Partitions(d)
	if err != nil {
		t.Error(err)
	}
	return list
}

func FuzzPartitions(f *testing.F) {
	images := [][]byte{table(f, gpt), table(f, logicals)}
	f.Add(false, []byte{0, 2, 5, 1, 0xbe, 9})
	f.Add(true, []byte{1, 0xc6, 0xff, 1, 0xca, 0xff})
	f.Fuzz(func(t *testing.T, dos bool, change []byte) {
		b := bytes.Clone(images[0])
		if dos {
			b = bytes.Clone(images[1])
		}
		for ; len(change) >= 3; change = change[3:] {
			b[(int(change[0])<<8|int(change[1]))%len(b)] = change[2]
		}
		for _, p := range partitionsOf(t, NewMemory(b)) {
			if p.at < 512 || p.size <= 0 || p.at+p.size > int64(len(b)) {
				t.Errorf("%+v", p)
			}
		}
	})
}

// TestWriteAll writes several pieces at once to a device that can, one that cannot, and a partition of either; one that is not inside keeps all from being written to a partition.
func TestWriteAll(t *testing.T) {
	for _, c := range []struct {
		name string
		dev  func(*Memory) Device
	}{
		{"one by one", func(m *Memory) Device { return m }},
		{"at once", func(m *Memory) Device { return &gathers{Memory: m} }},
	} {
		m := NewMemory(table(t, gpt))
		dev := c.dev(m)
		part := partitionsOf(t, dev)[0]
		var list []Piece
		for i := range 40 {
			list = append(list, Piece{[][]byte{bytes.Repeat([]byte{byte(i + 1)}, 512), bytes.Repeat([]byte{byte(i + 101)}, 512)}, int64(i) * 2048})
		}
		if err := WriteAll(part, list); err != nil {
			t.Fatal(c.name, err)
		}
		for i := range 40 {
			if b := m.Bytes()[2048*512+i*2048:]; b[0] != byte(i+1) || b[512] != byte(i+101) {
				t.Errorf("%s: piece %d is not there", c.name, i)
			}
		}
		if u := part.Use(); u.Written.Requests != 40 || u.Written.Sectors != 80 || u.Flying != 0 {
			t.Errorf("%s: %+v", c.name, u)
		}
		if g, ok := dev.(*gathers); ok && g.calls != 1 {
			t.Errorf("%d calls", g.calls)
		}
		before := bytes.Clone(m.Bytes())
		if err := WriteAll(part, append(list[:1:1], Piece{list[1].Vec, 4096 * 512})); err != errRange {
			t.Error(c.name, err)
		}
		if !bytes.Equal(before, m.Bytes()) {
			t.Error(c.name, "something was written")
		}
		if err := WriteAll(&Faulty{Device: dev, At: 2}, list); err == nil {
			t.Error(c.name, "a write that fails is not told")
		}
	}
}

// gathers is a Gatherer.
type gathers struct {
	*Memory
	calls int
}

func (g *gathers) WriteAll(list []Piece) error {
	g.calls++
	for _, p := range list {
		if err := g.Write(p.Vec, p.Off); err != nil {
			return err
		}
	}
	return nil
}
