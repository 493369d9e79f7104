package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// FileName is the configuration file beside a main package.
const FileName = "libos.toml"

// file mirrors libos.toml. Keys are the names of the flags.
type file struct {
	Args         []string          `toml:"args"`
	Env          map[string]string `toml:"env"`
	Memory       any               `toml:"memory"`
	CPUs         *int              `toml:"cpus"`
	Machine      string            `toml:"machine"`
	Accel        string            `toml:"accel"`
	Modules      []string          `toml:"modules"`
	VM           string            `toml:"vm"`
	Sched        string            `toml:"sched"`
	Sockets      string            `toml:"sockets"`
	Roots        string            `toml:"roots"`
	FS           string            `toml:"fs"`
	Files        []string          `toml:"files"`
	Disks        []string          `toml:"disks"`
	Mounts       []string          `toml:"mounts"`
	PageCache    string            `toml:"page-cache"`
	IP           any               `toml:"ip"`
	Net          any               `toml:"net"`
	HostName     string            `toml:"hostname"`
	Netstat      string            `toml:"netstat"`
	Publish      []string          `toml:"publish"`
	NTP          []string          `toml:"ntp"`
	TraceCalls   bool              `toml:"trace-calls"`
	MissingCalls bool              `toml:"missing-calls"`
	Build        map[string]any    `toml:"build"` // go build flags by name
}

// wants says what each key takes.
var wants = map[string]string{
	"args":          `a list of strings, as ["-v", "x"]`,
	"env":           `a table of strings, as A = "B" below [env]`,
	"memory":        `a size, as "64M"`,
	"cpus":          `a number, as 2`,
	"machine":       `a string, as "q35"`,
	"accel":         `a string, as "tcg"`,
	"modules":       `a list of strings, as ["libos/entropy"]`,
	"vm":            `a string, as "bump"`,
	"sched":         `a string, as "stride"`,
	"sockets":       `a string: "auto", "on", "off" or a package's import path`,
	"roots":         `a string: "auto", "none" or a PEM file`,
	"fs":            `a string: "auto", "on", "off" or a package's import path`,
	"files":         `a list of strings, as ["static:/srv/www"]`,
	"disks":         `a list of strings, as ["data.img:/data"]`,
	"mounts":        `a list of strings, as ["label=data:/data"]`,
	"page-cache":    `a string, as "64M" or "64M,8M"`,
	"ip":            `a string, as "10.0.2.15/24,gw=10.0.2.2", or a list of them`,
	"net":           `a string: "user", "none" or "tap=NAME", or a list of them`,
	"hostname":      `a string, as "web-1"`,
	"netstat":       `a string: a port, as "7070"`,
	"publish":       `a list of strings, as ["8080:80"]`,
	"ntp":           `a list of strings, as ["ntp.example.com"]`,
	"trace-calls":   `true or false`,
	"missing-calls": `true or false`,
	"build":         `a table of go build's flags, as tags = "x" below [build]`,
}

// Load reads dir's libos.toml. A missing file sets nothing. Files that it names
// are meant from dir.
func Load(dir string) (Settings, error) {
	name := filepath.Join(dir, FileName)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, err
	}
	s, err := parse(data)
	if err != nil {
		return Settings{}, fmt.Errorf("%s%w", name, err)
	}
	if s.RootsFile() && !filepath.IsAbs(s.Roots) {
		s.Roots = filepath.Join(dir, s.Roots)
	}
	for i, f := range s.Files {
		if !filepath.IsAbs(f) {
			s.Files[i] = filepath.Join(dir, f)
		}
	}
	for i, d := range s.Disks {
		if !filepath.IsAbs(d) {
			s.Disks[i] = filepath.Join(dir, d)
		}
	}
	return s, nil
}

// parse returns errors that begin with ":line:column: ".
func parse(data []byte) (Settings, error) {
	// What is not TOML is told first: then all that is left to find are unknown
	// keys and values of the wrong kind.
	var anything map[string]any
	if err := toml.Unmarshal(data, &anything); err != nil {
		return Settings{}, notTOML(err)
	}
	var f file
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Settings{}, notOurs(err)
	}
	s := Settings{
		Args: f.Args, Machine: f.Machine, Accel: f.Accel,
		Modules: f.Modules, VM: f.VM, Sched: f.Sched, Sockets: f.Sockets, Roots: f.Roots, FS: f.FS, Files: f.Files, Disks: f.Disks, Mounts: f.Mounts, PageCache: f.PageCache, HostName: f.HostName, Netstat: f.Netstat, Publish: f.Publish, NTP: f.NTP, TraceCalls: f.TraceCalls, MissingCalls: f.MissingCalls,
	}
	for _, value := range []struct {
		key string
		err error
	}{
		{"memory", f.memory(&s)},
		{"cpus", f.cpus(&s)},
		{"machine", Settings{Machine: f.Machine}.Check()},
		{"sockets", Settings{Sockets: f.Sockets}.Check()},
		{"fs", Settings{FS: f.FS}.Check()},
		{"files", Settings{Files: f.Files}.Check()},
		{"disks", Settings{Disks: f.Disks, Mounts: f.Mounts}.Check()},
		{"mounts", Settings{Mounts: f.Mounts}.Check()},
		{"page-cache", CheckPageCache(f.PageCache)},
		{"ip", several(f.IP, "ip", &s.IP, CheckIP)},
		{"net", several(f.Net, "net", &s.Net, CheckNet)},
		{"hostname", CheckHostName(f.HostName)},
		{"netstat", CheckNetstat(f.Netstat)},
		{"publish", Settings{Publish: f.Publish}.Check()},
		{"ntp", CheckNTP(f.NTP)},
		{"accel", Settings{Accel: f.Accel}.Check()},
	} {
		if value.err != nil {
			row, col := placeOf(data, "", value.key)
			return Settings{}, fmt.Errorf(":%d:%d: %s: %w", row, col, value.key, value.err)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(f.Env)) {
		s.Env = append(s.Env, k+"="+f.Env[k])
	}
	for _, k := range slices.Sorted(maps.Keys(f.Build)) {
		flag, err := goFlag(k, f.Build[k])
		if err != nil {
			row, col := placeOf(data, "build", k)
			return Settings{}, fmt.Errorf(":%d:%d: %w", row, col, err)
		}
		s.Go = append(s.Go, flag)
	}
	return s, nil
}

// notTOML puts line and column in front of what the TOML library reports.
func notTOML(err error) error {
	var dec *toml.DecodeError
	if errors.As(err, &dec) {
		row, col := dec.Position()
		return fmt.Errorf(":%d:%d: %s", row, col, strings.TrimPrefix(dec.Error(), "toml: "))
	}
	return fmt.Errorf(": %w", err)
}

// notOurs says in our words what keeps TOML from being settings. The library's
// are about Go.
func notOurs(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := slices.MinFunc(strict.Errors, func(a, b toml.DecodeError) int {
			ra, _ := a.Position()
			rb, _ := b.Position()
			return cmp.Compare(ra, rb)
		})
		row, col := e.Position()
		return fmt.Errorf(":%d:%d: unknown key %q", row, col, strings.Join(e.Key(), "."))
	}
	var dec *toml.DecodeError
	if !errors.As(err, &dec) || len(dec.Key()) == 0 {
		return notTOML(err)
	}
	row, col := dec.Position()
	key := dec.Key()[0]
	want := wants[key]
	if key == "env" && len(dec.Key()) > 1 {
		key, want = strings.Join(dec.Key(), "."), "a string in quotes"
	}
	return fmt.Errorf(":%d:%d: %s: want %s", row, col, key, want)
}

func (f *file) memory(s *Settings) error {
	switch v := f.Memory.(type) {
	case nil:
		return nil
	case string:
		return s.Memory.Set(v)
	case int64:
		return s.Memory.Set(strconv.FormatInt(v, 10))
	}
	return fmt.Errorf("want %s", wants["memory"])
}

// several reads a value that is a string or a list of strings, which check must pass.
func several(v any, key string, to *[]string, check func([]string) error) error {
	list, ok := v.([]any)
	if v != nil && !ok {
		list = []any{v}
	}
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			return fmt.Errorf("want %s", wants[key])
		}
		*to = append(*to, s)
	}
	return check(*to)
}

func (f *file) cpus(s *Settings) error {
	if f.CPUs == nil {
		return nil
	}
	s.CPUs = *f.CPUs
	return CheckCPUs(s.CPUs)
}

// goFlag turns a key of [build] into the flag it stands for.
func goFlag(name string, value any) (string, error) {
	i := slices.IndexFunc(GoFlags, func(g GoFlag) bool { return g.Name == name })
	if i < 0 {
		return "", fmt.Errorf("unknown key %q", "build."+name)
	}
	switch v := value.(type) {
	case string:
		return "-" + name + "=" + v, nil
	case bool:
		if GoFlags[i].Bool {
			return fmt.Sprintf("-%s=%v", name, v), nil
		}
	}
	return "", fmt.Errorf("build.%s: want a string, as on the command line", name)
}

// placeOf returns the line, and the column of its first letter, that sets a key of a table, "" for those above all
// tables. The library does not tell it of values that it could decode.
func placeOf(data []byte, table, key string) (row, col int) {
	in := table == ""
	for i, whole := range strings.Split(string(data), "\n") {
		line := strings.TrimSpace(whole)
		col := len(whole) - len(strings.TrimLeft(whole, " \t")) + 1
		if header, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ := strings.Cut(header, "]")
			name = strings.Trim(name, "[ \t")
			if in = name == table; table == "" && name == key {
				return i + 1, col
			}
			continue
		}
		k, _, _ := strings.Cut(line, "=")
		k = strings.Trim(strings.TrimSpace(k), `"'`)
		if in && k == key || table != "" && k == table+"."+key {
			return i + 1, col
		}
	}
	return 1, 1
}
