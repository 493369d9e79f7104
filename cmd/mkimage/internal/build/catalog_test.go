package build

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/inject"
)

// TestModuleList: each scheduler and allocator of the tree is listed, each module can be named, says what it is, and tells what it needs.
func TestModuleList(t *testing.T) {
	all, err := ModuleList()
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	last := 0
	for i, m := range all {
		if at := slices.Index(slots, m.Slot); at < last {
			t.Errorf("%s: slot %q is not in order", m.Path, m.Slot)
		} else {
			last = at
		}
		paths = append(paths, m.Path)
		if _, err := modulePath(m.Path); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(m.About, "Package ") {
			t.Errorf("%s: %q", m.Path, m.About)
		}
		if _, err := Modules(catalog[i].with); err != nil {
			t.Errorf("%s: %v", m.Path, err)
		}
		if m.Path == "libos/net/socket" && !slices.Contains(m.Needs, "libos/net/tcp") {
			t.Errorf("%s needs %v", m.Path, m.Needs)
		}
	}
	for _, m := range []string{posixModule, linuxModule, traceModule, BalloonModule, SocketModule, FilesModule, mapModule, VolumesModule, NTPModule, NetstatModule, HostNameModule, okModule, screenModule} {
		if !slices.Contains(paths, strings.TrimPrefix(m, inject.ModulePath+"/")) {
			t.Errorf("%s is not listed", m)
		}
	}
	for name, want := range map[string]string{"stride": "/libos/sched/stride", "libos/sched/stride": "/libos/sched/stride", "buddy": "", "a.b/c": "a.b/c"} {
		got, err := chosen("scheduler", "sched", name)
		if got != want && got != inject.ModulePath+want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, slot := range []struct {
		dir string
		not []string
	}{{"libos/sched", []string{"schedtest", "testdata"}}} {
		entries, err := hardtack.Source.ReadDir(slot.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() && !slices.Contains(slot.not, e.Name()) && !slices.Contains(paths, slot.dir+"/"+e.Name()) {
				t.Errorf("%s/%s is not listed", slot.dir, e.Name())
			}
		}
	}
}
