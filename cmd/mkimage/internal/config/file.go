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
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// FileName is the configuration file beside a main package.
const FileName = "libos.toml"

// file mirrors libos.toml. Keys are the names of the flags.
type file struct {
	Args         []string          `toml:"args"`
	Env          map[string]string `toml:"env"`
	Memory       Size              `toml:"memory"`
	CPUs         int               `toml:"cpus"`
	Machine      string            `toml:"machine"`
	Accel        string            `toml:"accel"`
	Modules      []string          `toml:"modules"`
	TraceCalls   bool              `toml:"trace-calls"`
	MissingCalls bool              `toml:"missing-calls"`
	Build        map[string]any    `toml:"build"` // go build flags by name
}

// Load reads dir's libos.toml. A missing file sets nothing.
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
	return s, nil
}

// parse returns errors that begin with ":line: ", or ": " where no line is known.
func parse(data []byte) (Settings, error) {
	var f file
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Settings{}, placed(err)
	}
	s := Settings{
		Args: f.Args, Memory: f.Memory, CPUs: f.CPUs, Machine: f.Machine, Accel: f.Accel,
		Modules: f.Modules, TraceCalls: f.TraceCalls, MissingCalls: f.MissingCalls,
	}
	for _, k := range slices.Sorted(maps.Keys(f.Env)) {
		s.Env = append(s.Env, k+"="+f.Env[k])
	}
	for _, k := range slices.Sorted(maps.Keys(f.Build)) {
		flag, err := goFlag(k, f.Build[k])
		if err != nil {
			return Settings{}, fmt.Errorf(":%d: %w", lineOf(data, k), err)
		}
		s.Go = append(s.Go, flag)
	}
	if err := s.Check(); err != nil {
		return Settings{}, fmt.Errorf(": %w", err)
	}
	return s, nil
}

// placed puts the line in front of what the TOML library reports.
func placed(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := slices.MinFunc(strict.Errors, func(a, b toml.DecodeError) int {
			ra, _ := a.Position()
			rb, _ := b.Position()
			return cmp.Compare(ra, rb)
		})
		row, _ := e.Position()
		return fmt.Errorf(":%d: unknown key %q", row, strings.Join(e.Key(), "."))
	}
	var dec *toml.DecodeError
	if errors.As(err, &dec) {
		row, _ := dec.Position()
		return fmt.Errorf(":%d: %s", row, strings.TrimPrefix(dec.Error(), "toml: "))
	}
	return fmt.Errorf(": %w", err)
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

// lineOf returns the line that sets a key of [build]. The library does not tell
// it for the keys of a free table.
func lineOf(data []byte, key string) int {
	in := false
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = strings.Trim(line, "[] \t") == "build"
			continue
		}
		k, _, _ := strings.Cut(line, "=")
		k = strings.Trim(strings.TrimSpace(k), `"'`)
		if k == "build."+key || in && k == key {
			return i + 1
		}
	}
	return 1
}
