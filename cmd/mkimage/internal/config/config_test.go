package config

import (
	"os"
	"path/filepath"
	"reflect"
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
		"cpus = 1\n\nmemroy = \"1G\"\n":  `libos.toml:3: unknown key "memroy"`,
		"cpus = 1\n[build]\nrage = true": `libos.toml:3: unknown key "build.rage"`,
		"[network]\nx = 1\n":             `libos.toml:1: unknown key "network`,
		"cpus = \"four\"\n":              `libos.toml:1: `,
		"memory = \"64Q\"\n":             `libos.toml:1: `,
		"cpus = = 1\n":                   `libos.toml:1: `,
		"cpus = 65\n":                    `libos.toml: 65 CPUs`,
		"machine = \"raspi\"\n":          `libos.toml: unknown machine "raspi"`,
		"[build]\ntags = true\n":         `libos.toml:2: build.tags`,
		"[build]\ntags = [\"a\"]\n":      `libos.toml:2: build.tags`,
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
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
