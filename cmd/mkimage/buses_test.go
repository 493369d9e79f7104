package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
)

// TestBuses moves a volume from bus to bus: it is found by its label and by its UUID, and what was written behind one is there behind the next.
func TestBuses(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os", `
	for _, d := range os.Args[1:] {
		f, err := os.OpenFile(d+"/boots", os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			fmt.Println(err)
			continue
		}
		before, err := f.Stat()
		if err != nil {
			panic(err)
		}
		if _, err := f.Write(make([]byte, 100_000)); err != nil {
			panic(err)
		}
		fmt.Println(d, "boots before:", before.Size()/100_000, f.Close())
	}`))
	v, w, image := filepath.Join(dir, "v.img"), filepath.Join(dir, "w.img"), filepath.Join(dir, "i.elf")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", "--label", "mine", v)
	c.want(t, 0)
	c.mkimage(t, "fs", "mkfs", "--size", "16M", w)
	c.want(t, 0)
	c.mkimage(t, "build", "-o", image, "--mount", "label=mine:/data", dir)
	c.want(t, 0)
	c.mkimage(t, "fs", "info", v)
	uuid := regexp.MustCompile(`UUID: (\S+)`).FindStringSubmatch(c.stdout)
	if uuid == nil {
		t.Fatal(c.stdout)
	}
	for i, m := range []struct{ machine, bus, mount string }{
		{"microvm", "virtio", "label=mine"},
		{"microvm", "scsi", "uuid=" + uuid[1]},
		{"microvm", "nvme", "label=mine"},
		{"q35", "scsi", "label=mine"},
		{"q35", "nvme", "uuid=" + uuid[1]},
		{"pc", "nvme", "label=mine"},
		{"pc", "scsi", "label=mine"},
		{"pc", "virtio", "uuid=" + uuid[1]},
	} {
		// The other disk is behind the same bus, before it.
		c.mkimage(t, "run", "--machine", m.machine, "--disk", w+":/other,bus="+m.bus, "--disk", v+",bus="+m.bus, "--mount", m.mount+":/data", image, "--", "/data", "/other")
		c.want(t, 0, fmt.Sprintf("/data boots before: %d <nil>", i), fmt.Sprintf("/other boots before: %d <nil>", i))
	}
	c.mkimage(t, "run", "--ephemeral", "--disk", v+":/data,bus=nvme", "--disk", w+":/other,ro,bus=scsi", dir, "--", "/data", "/other")
	c.want(t, 0, "/data boots before: 8 <nil>", "open /other/boots: read-only file system")
	for _, f := range []string{v, w} {
		c.mkimage(t, "fs", "check", f)
		c.want(t, 0, "0 problems")
	}
	c.mkimage(t, "run", "--disk", v+",bus=ide", dir)
	c.want(t, 1, `v.img,bus=ide": there is no bus "ide": want virtio, scsi or nvme`)
}
