package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func load(t *testing.T, text string) (Settings, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return Load(dir)
}

func TestLoad(t *testing.T) {
	got, err := load(t, `
args = ["a", "b c"]
memory = "64M"
cpus = 4
machine = "q35"
accel = "tcg"
modules = ["libos/posix"]
missing-calls = true

[env]
B = "2"
A = "x y"

[build]
tags = "one,two"
trimpath = true
`)
	want := Settings{
		Args: []string{"a", "b c"}, Env: []string{"A=x y", "B=2"}, Memory: 64 << 20, CPUs: 4, Machine: "q35", Accel: "tcg",
		Modules: []string{"libos/posix"}, MissingCalls: true, Go: []string{"-tags=one,two", "-trimpath=true"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestLoadNothing(t *testing.T) {
	if s, err := Load(t.TempDir()); err != nil || !reflect.DeepEqual(s, Settings{}) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestLoadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"cpus = 1\n\nmemroy = \"1G\"\n":  `3: unknown key "memroy"`,
		"cpus = 1\n[build]\nrage = true": `3: unknown key "build.rage"`,
		"[network]\nx = 1\n":             `1: unknown key "network`,
		"cpus = = 1\n":                   `1: unexpected character`,
		"args = []\ncpus = 4x\n":         `2: `,
		"cpus = 1\ncpus = 2\n":           `2: key cpus is already defined`,

		"\nmemory = 64\n":              `2: memory: 64 is a number of bytes, too few: did you mean 64M?`,
		"memory = \"64Q\"\n":           `1: memory: "64Q" is not a size`,
		"cpus = 1\nmemory = 1.5\n":     `2: memory: want a size, as "64M"`,
		"\n[memory]\nx = 1\n":          `2: memory: want a size, as "64M"`,
		"\ncpus = \"four\"\n":          `2: cpus: want a number, as 2`,
		"cpus = 1.5\n":                 `1: cpus: want a number, as 2`,
		"[cpus]\n":                     `1: cpus: want a number, as 2`,
		"cpus.x = 1\n":                 `1: cpus: want a number, as 2`,
		"args = []\ncpus = 65\n":       `2: cpus: 65 CPUs: an image runs on 1 to 64`,
		"cpus = 0\n":                   `1: cpus: 0 CPUs: an image runs on 1 to 64`,
		"args = \"x\"\n":               `1: args: want a list of strings, as ["-v", "x"]`,
		"args = [\"a\",\n1]\n":         `2: args: want a list of strings, as ["-v", "x"]`,
		"env = [\"A=1\"]\n":            `1: env: want a table of strings, as A = "B" below [env]`,
		"[env]\nA = \"1\"\nB = 2\n":    `3: env.B: want a string in quotes`,
		"machine = \"raspi\"\n":        `1: machine: unknown machine "raspi": want microvm, q35, pc`,
		"machine = 35\n":               `1: machine: want a string, as "q35"`,
		"cpus = 1\naccel = \"warp\"\n": `2: accel: unknown accelerator "warp"`,
		"accel = true\n":               `1: accel: want a string, as "tcg"`,
		"modules = \"libos/x\"\n":      `1: modules: want a list of strings, as ["libos/entropy"]`,
		"trace-calls = \"yes\"\n":      `1: trace-calls: want true or false`,
		"missing-calls = 1\n":          `1: missing-calls: want true or false`,
		"build = \"-x\"\n":             `1: build: want a table of go build's flags, as tags = "x" below [build]`,
		"[build] # x\ntags = true\n":   `2: build.tags`,
		"[build]\ntags = [\"a\"]\n":    `2: build.tags`,
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(withoutColumn(err), FileName+":"+want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{ // with columns
		"cpus = 1\n  memroy = \"1G\"\n": `:2:3: unknown key "memroy"`,
		"cpus = = 1\n":                  `:1:8: unexpected character`,
		"cpus = 1.5\n":                  `:1:8: cpus: want a number`,
		"args = []\n cpus = 65\n":       `:2:2: cpus: 65 CPUs`,
		"[build]\n  tags = true\n":      `:2:3: build.tags`,
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), FileName+want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// withoutColumn takes the column out of an error.
func withoutColumn(err error) string {
	return regexp.MustCompile(`(`+FileName+`:[0-9]+):[0-9]+:`).ReplaceAllString(err.Error(), "$1:")
}

// TestWants shows that whatever stands where it does not belong is told so in
// our words.
func TestWants(t *testing.T) {
	for f := range reflect.TypeFor[file]().Fields() {
		key := f.Tag.Get("toml")
		if _, err := load(t, key+" = 1979-05-27\n"); err == nil || !strings.HasSuffix(withoutColumn(err), ":1: "+key+": want "+wants[key]) {
			t.Errorf("%s: got %v, want %q", key, err, wants[key])
		}
	}
}

func TestOr(t *testing.T) {
	flags := Settings{Env: []string{"A=flag"}, CPUs: 2, Go: []string{"-tags=flag"}}
	file := Settings{Env: []string{"A=file", "B=file"}, CPUs: 8, Memory: 1, Args: []string{"x"}, Go: []string{"-tags=file"}}
	got := flags.Or(file)
	want := Settings{
		Env: []string{"A=file", "B=file", "A=flag"}, CPUs: 2, Memory: 1, Args: []string{"x"}, Go: []string{"-tags=file", "-tags=flag"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := (Settings{Args: []string{}}).Or(file); len(got.Args) != 0 {
		t.Error("an empty argument list did not win")
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"64M": 64 << 20, "1g": 1 << 30, "512KiB": 512 << 10, "1048577": 1<<20 + 1, "2GB": 2 << 30} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
		if back, _ := ParseSize(got.String()); back != got {
			t.Errorf("%s is written %s", text, got)
		}
	}
	for _, text := range []string{"64", "64B"} {
		if n, err := ParseSize(text); err == nil || !strings.Contains(err.Error(), "did you mean 64M?") {
			t.Errorf("%q is %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "M", "-1M", "0", "1.5G", "9999999999999T", "64MM"} {
		if n, err := ParseSize(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

// TestDisksOfBuilt: a built image keeps what it mounts where, but for what is said anew.
func TestDisksOfBuilt(t *testing.T) {
	const named, placed = "label=ALPHA:/a;0p1:/boot,ro", "serial=disk0:/x,format=logkv;serial=disk1:/y,ro"
	for _, c := range []struct {
		built, want   string
		disks, mounts []string
	}{
		{named, named, []string{"a.img"}, nil}, // mounted by its name only
		{named, "serial=disk0:/d;" + named, []string{"a.img:/d"}, nil},
		{named, "serial=disk1:/a;0p1:/boot,ro", []string{"a.img", "b.img:/a"}, nil},
		{named, "label=B:/b", []string{"a.img"}, []string{"label=B:/b"}},
		{placed, "serial=disk0:/x,format=logkv;serial=disk1:/y,ro", []string{"a.img"}, nil},
		{placed, "serial=disk0:/x,format=logkv,ro;serial=disk1:/y,ro", []string{"a.img,ro", "b.img"}, nil},
		{placed, "serial=disk0:/z;serial=disk1:/y,ro", []string{"a.img:/z"}, nil},
		{placed, "label=C:/c;serial=disk0:/x,format=logkv;serial=disk1:/y,ro", nil, []string{"label=C:/c"}},
		{placed, "serial=disk0:/x,format=logkv;serial=disk1:/y,ro;serial=disk2:/data", []string{"a.img", "b.img", "c.img"}, nil},
		{"", "serial=disk0:/data", []string{"a.img"}, nil},
		{"", "serial=disk0:/data,mmp", []string{"a.img,mmp"}, nil},
		{"serial=disk0:/x,mmp", "serial=disk0:/x,ro,mmp", []string{"a.img,ro"}, nil},
		{"", "label=C:/c,mmp", nil, []string{"label=C:/c,mmp"}},
		{"", "look", []string{"a.img,raw"}, nil},
		{"", "serial=disk1:/data;look", []string{"a.img,ro,raw", "b.img"}, nil},
		{placed, "serial=disk1:/y,ro;look", []string{"a.img,raw"}, nil},
		{"look", "serial=disk0:/data;look", []string{"a.img"}, nil},
		{"look", "mem:/tmp,size=1024K;look", nil, []string{"mem:/tmp,size=1M"}},
		{"serial=disk1:/y,ro;look", "serial=disk0:/z;serial=disk1:/y,ro;look", []string{"a.img:/z"}, nil},
		{"look", "look", []string{"a.img,raw"}, nil},
		{"", "mem:/tmp,size=65536K;mem:/m;serial=disk0:/data", []string{"a.img"}, []string{"mem:/tmp/,size=64mib", "mem:/m"}},
		{"mem:/tmp,size=65536K", "serial=disk0:/data;mem:/tmp,size=65536K", []string{"a.img"}, nil},
		{"mem:/tmp,size=65536K", "mem:/,size=1048576K", nil, []string{"mem:/,size=1G"}},
	} {
		s := Settings{Built: c.built, Disks: c.disks, Mounts: c.mounts}
		if got, err := s.DisksWord(); err != nil || got != c.want {
			t.Errorf("built with %s, disks %q, mounts %q: %s %v, want %s", c.built, c.disks, c.mounts, got, err, c.want)
		}
	}
	if _, err := (Settings{Built: placed, Disks: []string{"a.img:/y", "b.img"}}).DiskList(); err == nil {
		t.Error("two disks are at /y")
	}
}

func TestDisks(t *testing.T) {
	s := Settings{Disks: []string{"a.img", "b.img:/b/,format", "c,d.img:/c,ro,format"}}
	list, err := s.DiskList()
	if err != nil || len(list) != 3 || list[0] != (Disk{File: "a.img", Path: "/data"}) || list[1] != (Disk{File: "b.img", Path: "/b", Format: true}) ||
		list[2] != (Disk{File: "c,d.img", Path: "/c", Format: true, ReadOnly: true}) {
		t.Errorf("%+v %v", list, err)
	}
	s.Mounts = []string{"label=x:/x"}
	if word, err := s.DisksWord(); err != nil || word != "label=x:/x;serial=disk1:/b,format;serial=disk2:/c,format,ro" {
		t.Errorf("%q %v", word, err)
	}
	if list, err := (Settings{Disks: []string{"e.img:/e,ro,format=logkv"}}).DiskList(); err != nil || len(list) != 1 || list[0] != (Disk{File: "e.img", Path: "/e", Format: true, Kind: "logkv", ReadOnly: true}) {
		t.Errorf("%+v %v", list, err)
	}
	if word, err := (Settings{Disks: []string{"e.img:/e,format=logkv"}}).DisksWord(); err != nil || word != "serial=disk0:/e,format=logkv" {
		t.Errorf("%q %v", word, err)
	}
	buses := Settings{Disks: []string{"aa:/a,bus=scsi", "bb:/b,ro,bus=nvme,format", "cc:/c,bus=virtio", "d,bus=nvme:/d"}}
	if list, err := buses.DiskList(); err != nil || len(list) != 4 || list[0] != (Disk{File: "aa", Path: "/a", Bus: BusSCSI}) || list[1] != (Disk{File: "bb", Path: "/b", Format: true, ReadOnly: true, Bus: BusNVMe}) ||
		list[2] != (Disk{File: "cc", Path: "/c", Bus: BusVirtio}) || list[3] != (Disk{File: "d,bus=nvme", Path: "/d"}) {
		t.Errorf("%+v %v", list, err)
	}
	if list, err := (Settings{Disks: []string{"e.img:/e,mmp,bus=nvme,format"}}).DiskList(); err != nil || len(list) != 1 || list[0] != (Disk{File: "e.img", Path: "/e", Format: true, MMP: true, Bus: BusNVMe}) {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := (Settings{Disks: []string{"a.img:/a,bus=ide"}}).DiskList(); err == nil || err.Error() != `disk "a.img:/a,bus=ide": there is no bus "ide": want virtio, scsi or nvme` {
		t.Error(err)
	}
	for _, where := range []string{"/dev", "/proc/x", "/sys"} {
		if _, err := (Settings{Disks: []string{"a.img:" + where}}).DiskList(); err == nil || !strings.Contains(err.Error(), "the image has /dev, /proc and /sys of its own: say another path") {
			t.Errorf("%s: %v", where, err)
		}
	}
	if err := checkMounts([]string{"0:/x,format=logkv", "0:/y,mmp", "mem:/dev/shm,size=1M", "label=x:/develop", "mem:/process"}); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]string{{"aa:/"}, {""}, {"aa", "bb"}, {"aa:/x", "bb:/x"}, {"aa:/x;y"}, {"aa:/x,raw"}, {"aa,raw,format"}, {"aa,raw,mmp"}, {"v1:/1", "v2:/2", "v3:/3", "v4:/4", "v5:/5", "v6:/6"}} {
		if list, err := (Settings{Disks: bad}).DiskList(); err == nil {
			t.Errorf("%q: %+v", bad, list)
		}
	}
	for _, bad := range []string{"a:/x", "0", "label=:/x", "0:/", "0:/x,rw", "0:/x,format=", "0:/x;1:/y", "mem:/", "mem:/x,size=", "mem:/x,size=1000", "mem:/x,size=0", "mem:/x,ro", "mem:/x,mmp", "0:/x,mmp=1", "mem:/x;y", "mem:x", "mem:/dev", "mem:/proc/,size=1M", "mem:/sys/x", "label=a:/dev/", "0p1:/proc", "uuid=1:/a/../sys/b"} {
		if err := checkMounts([]string{bad}); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// TestOneLetter: a file or folder with a name of one letter has a path in the image, too, but where the letter is a drive's.
func TestOneLetter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("d:/d is a path")
	}
	files, err := Placements([]string{"d:/e"})
	if want := (Placement{Host: "d", Guest: "/e"}); err != nil || len(files) != 1 || files[0] != want {
		t.Errorf("%+v %v", files, err)
	}
	disks, err := (Settings{Disks: []string{"d:/e"}}).DiskList()
	if err != nil || len(disks) != 1 || disks[0] != (Disk{File: "d", Path: "/e"}) {
		t.Errorf("%+v %v", disks, err)
	}
}
