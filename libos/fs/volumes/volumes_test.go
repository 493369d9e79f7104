package volumes

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/cffs"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
	"github.com/hardtack-os/hardtack/libos/fs/kinds"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/posix/files"
)

// heard is how large the disk of a volume of the kind "growing" is, as that heard.
var heard int64

func init() {
	kinds.Register(kinds.Kind{Name: "growing", Is: func(dev block.Device) bool {
		b := make([]byte, 512)
		return dev.Read([][]byte{b}, 0) == nil && string(b[:7]) == "growing"
	}, Mount: func(dev block.Device, _ bool) (kinds.Volume, error) {
		dev.(block.Grower).Notify(func() { heard = dev.Info().Size })
		return nil, nil
	}})
}

// TestKindGrows: a filesystem of the program's own hears of it when its disk grows.
func TestKindGrows(t *testing.T) {
	m := block.NewMemory(make([]byte, 1<<20))
	copy(m.Bytes(), "growing")
	if kind, _, err := mountKind(want{}, look(m, "0", nil)); kind != "growing" || err != nil {
		t.Fatal(kind, err)
	}
	if m.Grow(2 << 20); heard != 2<<20 {
		t.Errorf("it heard of %d bytes", heard)
	}
}

// A kept is a volume of the kind "kept": files in memory.
type kept struct{ *mem.FS }

func (kept) Close() error { return nil }

// TestNested mounts volumes in folders of others, the inner ones named first: of the kinds that are built in, in one of a kind of the program's own, and where there is none.
func TestNested(t *testing.T) {
	kinds.Register(kinds.Kind{Name: "kept", Is: func(dev block.Device) bool {
		b := make([]byte, 512)
		return dev.Read([][]byte{b}, 0) == nil && string(b[:4]) == "kept"
	}, Mount: func(block.Device, bool) (kinds.Volume, error) { return kept{mem.New(mem.Options{})}, nil }})
	volume := func() *disk {
		m := block.NewMemory(make([]byte, 4<<20))
		if err := cffs.Format(m, cffs.FormatOptions{}); err != nil {
			t.Fatal(err)
		}
		return look(m, "0", nil)
	}
	own := block.NewMemory(make([]byte, 1<<20))
	copy(own.Bytes(), "kept")
	list := []left{
		{want: want{path: "/n/a/b"}, disk: volume()}, {want: want{path: "/n/a"}, disk: volume()},
		{want: want{path: "/n/own/in"}, disk: volume()}, {want: want{path: "/n/own"}, disk: look(own, "1", nil)},
		{want: want{path: "/n/none/in"}, disk: volume()}, {want: want{path: "/n/none"}, err: errors.New("no disk")},
		{want: want{path: "/n/own/memory", mem: true, size: 1 << 20}}, {want: want{path: "/n/a/memory", mem: true, size: 2 << 20}}, {want: want{path: "/n/bad", mem: true, bad: true}},
	}
	if late.wants != nil || late.disks != nil {
		t.Fatal("a host has no volumes")
	}
	defer func() { late = waiting{} }()
	late.mount(list)
	mountOwn()
	var got []string
	root := files.Tree.Root()
	defer root.Drop()
	for _, path := range []string{"/n/a", "/n/a/b", "/n/own", "/n/own/in", "/n/none", "/n/a/memory", "/n/own/memory", "/n/bad"} {
		p, e := files.Tree.Resolve(root, path, 0)
		if e != 0 {
			t.Errorf("%s: %v", path, e)
			continue
		}
		got = append(got, p.Mount.Path+" "+p.Mount.Type+p.Mount.Options)
		p.Drop()
	}
	if want := "/n/a cffs,/n/a/b cffs,/n/own kept,/n/own/in cffs,/n/none ,/n/a/memory tmpfssize=2048k,/n/own/memory tmpfssize=1024k,/n/bad "; strings.Join(got, ",") != want {
		t.Errorf("%q, want %s", got, want)
	}
	if _, e := files.Tree.Resolve(root, "/n/none/in", 0); e != syscall.EIO {
		t.Errorf("in a volume that is not there: %v", e)
	}
}

// TestHidden: what a volume, or files in memory, hide is told by its first names.
func TestHidden(t *testing.T) {
	root := files.Tree.Root()
	defer root.Drop()
	if got := namesIn("/hidden"); got != "" {
		t.Errorf("no folder: %q", got)
	}
	files.Tree.Mkdir(root, "/hidden", 0o755)
	for i, want := range []string{"", "a", "a, b", "a, b, c", "a, b, c, and more", "a, b, c, and more"} {
		if got := namesIn("/hidden"); got != want {
			t.Errorf("%d names: %q, want %q", i, got, want)
		}
		files.Tree.Mkdir(root, "/hidden/"+string(rune('a'+i)), 0o755)
	}
	was := say
	defer func() { say = was }()
	var said []string
	say = func(text string) { said = append(said, text) }
	files.Tree.Mkdir(root, "/hidden/a/in", 0o755)
	for _, path := range []string{"/hidden/a", "/hidden/b", "/hidden/new/x"} {
		(&left{want: want{path: path, mem: true, size: 1 << 20}}).memory()
	}
	if e := at("/hidden", fs.Source{}, "mem", mem.New(mem.Options{})); e != 0 {
		t.Fatal(e)
	}
	if want := []string{"the files in memory at /hidden/a hide what was there already: in", "the volume at /hidden hides what was there already: a, b, c, and more"}; !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
}

func TestParse(t *testing.T) {
	list, _, err := parse("serial=disk0:/data;label=my data:/a/b/,format;2:/c,ro,format;uuid=01-02:/d")
	if one, _, err := parse("0:/x,format=logkv,ro"); err != nil || len(one) != 1 || one[0] != (want{which: "0", path: "/x", format: true, kind: "logkv", readOnly: true}) {
		t.Errorf("%+v %v", one, err)
	}
	if one, _, err := parse("0:/x,mmp,format"); err != nil || len(one) != 1 || one[0] != (want{which: "0", path: "/x", format: true, mmp: true}) {
		t.Errorf("%+v %v", one, err)
	}
	if err != nil || len(list) != 4 || list[0] != (want{by: "serial", which: "disk0", path: "/data"}) || list[1] != (want{by: "label", which: "my data", path: "/a/b", format: true}) ||
		list[2] != (want{which: "2", path: "/c", format: true, readOnly: true}) || list[3] != (want{by: "uuid", which: "01-02", path: "/d"}) {
		t.Errorf("%+v %v", list, err)
	}
	if list, look, err := parse("mem:/tmp/,size=64M;look;mem:/;mem:/m;mem:/,size=1000K;label=x:/look"); err == nil || !look || len(list) != 4 || list[0] != (want{path: "/tmp", mem: true, size: 64 << 20}) ||
		list[1] != (want{path: "/m", mem: true}) || list[2] != (want{path: "/", mem: true, size: 1000 << 10}) || list[3] != (want{by: "label", which: "x", path: "/look"}) {
		t.Errorf("%+v %v %v", list, look, err)
	}
	for _, bad := range []string{"mem:/x,size=", "mem:/x,size=0", "mem:/x,size=1X", "mem:/x,ro", "mem:/", "mem:/x;mem:/x", "0:/x,size=1M", "x", "0", "0:data", ":/x", "serial=:/x", "name=x:/y", "0:/", "0:/x,rw", "0:/x,format=", "0:/x,ro=x", "0:/x,mmp=1", "mem:/x,mmp", "-1:/x", "0:/x;1:/x", "label=a:/x/../", "0:/dev", "mem:/proc,size=1M", "label=a:/sys/b", "mem:/x/../dev/"} {
		if list, _, err := parse(bad); err == nil {
			t.Errorf("%q: %+v", bad, list)
		}
	}
	// The others count all the same, and where a bad one says that it was to be there is a volume that gives EIO.
	list, _, err = parse("0:/a;1:/b,rw;x;name=x:/c;2:/d;3:/a")
	if err == nil || len(list) != 4 || !list[0].bad || list[0].path != "/a" || !list[1].bad || list[1].path != "/b" || !list[2].bad || list[2].path != "/c" || list[3].bad || list[3].path != "/d" {
		t.Errorf("%+v %v", list, err)
	}
	if list, _, err := parse("0:/dev;1:/proc/x,rw;mem:/dev/shm;2:/e"); err == nil || len(list) != 2 || list[0].path != "/dev/shm" || list[1].path != "/e" {
		t.Errorf("%+v %v", list, err) // nothing gives EIO at /dev
	}
	if list, _, err := parse(""); err != nil || list != nil {
		t.Error(list, err)
	}
}

// TestUnsureNumbers: a disk that comes behind one which could not be opened is mounted by no number, as it may be another's, and by a name.
func TestUnsureNumbers(t *testing.T) {
	volume := func(label, number string, unsure bool) *disk {
		m := block.NewMemory(make([]byte, 4<<20))
		if err := cffs.Format(m, cffs.FormatOptions{Label: label}); err != nil {
			t.Fatal(err)
		}
		d := look(m, number, nil)
		d.unsure = unsure
		return d
	}
	list := disks{volume("a", "0", false), volume("b", "1", true)}
	if d, err := list.find(want{which: "0"}); err != nil || d != list[0] {
		t.Error(err)
	}
	if _, err := list.find(want{which: "1"}); err == nil || !strings.Contains(err.Error(), "so nobody knows whether that is disk 1: say which by serial=") {
		t.Error(err)
	}
	if d, err := list.find(want{by: "label", which: "b"}); err != nil || d != list[1] {
		t.Error(err)
	}
}

// TestDeviceErrors: of a disk that cannot be read, or not written, the message has the disk's own error, and what helps.
func TestDeviceErrors(t *testing.T) {
	reads := &block.Faulty{Device: block.NewMemory(make([]byte, 4<<20)), At: 1, Last: 1 << 60}
	d := look(reads, "0", nil)
	_, _, err := mountKind(want{}, d)
	if err == nil || !strings.Contains(err.Error(), block.ErrInjected.Error()) {
		t.Errorf("no volume is found: %v", err)
	}
	if _, err := (disks{d}).find(want{by: "label", which: "data"}); err == nil || !strings.Contains(err.Error(), block.ErrInjected.Error()) {
		t.Errorf("no label is found: %v", err)
	}
	for name, format := range map[string]func(block.Device) error{
		"cffs": func(d block.Device) error { return cffs.Format(d, cffs.FormatOptions{}) },
		"vfat": func(d block.Device) error { return fat.Format(d, fat.FormatOptions{}) },
	} {
		whole := block.NewMemory(make([]byte, 64<<20))
		if err := format(whole); err != nil {
			t.Fatal(err)
		}
		_, f, err := mountBuiltin(want{mmp: true}, look(whole, "0", nil))
		if (err == nil) != (name == "cffs") || err != nil && !strings.Contains(err.Error(), "only a cffs volume can be mounted with mmp") {
			t.Errorf("%s, with mmp: %v", name, err)
		}
		if err == nil {
			f.Close()
		}
		d := look(stuck{whole}, "0", nil)
		_, _, err = mountBuiltin(want{}, d)
		if err == nil || !strings.Contains(err.Error(), block.ErrInjected.Error()) || !strings.Contains(advice(err), ",ro") {
			t.Errorf("%s: %v%s", name, err, advice(err))
		}
		kind, f, err := mountBuiltin(want{readOnly: true}, d)
		if err != nil || kind != name {
			t.Fatalf("%s, as it says: %s: %v", name, kind, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if s := advice(errors.New("another")); s != "" {
		t.Error(s)
	}
}

// stuck is a device that can only be read, and does not say so.
type stuck struct{ block.Device }

func (stuck) Write([][]byte, int64) error { return block.ErrInjected }
func (stuck) Flush() error                { return block.ErrInjected }
