package volumes

import (
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/kinds"
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

func TestParse(t *testing.T) {
	list, err := parse("serial=disk0:/data;label=my data:/a/b/,format;2:/c,ro,format;uuid=01-02:/d")
	if one, err := parse("0:/x,format=logkv,ro"); err != nil || len(one) != 1 || one[0] != (want{which: "0", path: "/x", format: true, kind: "logkv", readOnly: true}) {
		t.Errorf("%+v %v", one, err)
	}
	if err != nil || len(list) != 4 || list[0] != (want{by: "serial", which: "disk0", path: "/data"}) || list[1] != (want{by: "label", which: "my data", path: "/a/b", format: true}) ||
		list[2] != (want{which: "2", path: "/c", format: true, readOnly: true}) || list[3] != (want{by: "uuid", which: "01-02", path: "/d"}) {
		t.Errorf("%+v %v", list, err)
	}
	for _, bad := range []string{"x", "0", "0:data", ":/x", "serial=:/x", "name=x:/y", "0:/", "0:/x,rw", "0:/x,format=", "0:/x,ro=x", "-1:/x", "0:/x;1:/x", "label=a:/x/../"} {
		if list, err := parse(bad); err == nil {
			t.Errorf("%q: %+v", bad, list)
		}
	}
	// The others count all the same, and where a bad one says that it was to be there is a volume that gives EIO.
	list, err = parse("0:/a;1:/b,rw;x;name=x:/c;2:/d;3:/a")
	if err == nil || len(list) != 4 || !list[0].bad || list[0].path != "/a" || !list[1].bad || list[1].path != "/b" || !list[2].bad || list[2].path != "/c" || list[3].bad || list[3].path != "/d" {
		t.Errorf("%+v %v", list, err)
	}
	if list, err := parse(""); err != nil || list != nil {
		t.Error(list, err)
	}
}
