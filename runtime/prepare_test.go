package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPrepareEveryOp(t *testing.T) {
	f := newFake(t, map[string]string{
		"p/p.go":       "package p\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\nfunc g() {}\nfunc h() {}\n",
		"p/p_amd64.s":  "TEXT ·a(SB),4,$0\n\tRET\nTEXT ·b(SB),4,$0\n\tRET\n",
		"p/gone.go":    "package p\n",
		"p/other.go":   "package p\n",
		"p/replace.go": "package p\n",
	})
	f.add(map[string]string{"p/exo.go": "package p\n\nfunc f() {}\n", "p/replace.go": "package p // ours\n", "exo/exo.go": "package exo\n"})
	f.engine.edits = []Edit{
		{File: "p/p.go", Decl: "f", Op: Drop, Why: "w"},
		{File: "p/p.go", Decl: "g", Op: Body, Text: "h()", Why: "w"},
		{File: "p/p.go", Decl: "h", Op: Rename, Text: "h0", Why: "w"},
		{File: "p/p.go", Decl: "later", Op: Drop, Since: "go1.27", Why: "w"},
		{File: "p/p_arm64.go", Decl: "x", Op: Drop, Arch: "arm64", Why: "w"},
		{File: "p/p_amd64.s", Decl: "·a", Op: DropText, Why: "w"},
		{File: "p/gone.go", Op: DropFile, Why: "w"},
		{File: "p/replace.go", Op: DropFile, Why: "w"},
	}
	r := f.mustPrepare()
	for name, want := range map[string]string{
		"p/p.go":       "package p\n\n\n\n\nfunc g() { h() }\nfunc h0() {}\n",
		"p/p_amd64.s":  "\n\nTEXT ·b(SB),4,$0\n\tRET\n",
		"p/gone.go":    "",
		"p/replace.go": "package p // ours\n",
		"p/exo.go":     "package p\n\nfunc f() {}\n",
		"exo/exo.go":   "package exo\n",
	} {
		if got := f.stands(r, name); got != want {
			t.Errorf("%s:\n%q\nwant\n%q", name, got, want)
		}
	}
	if len(r.Replace) != 6 {
		t.Errorf("the overlay has more than was asked for: %v", r.Replace)
	}
	if r.Version != "go1.26.8" || r.GOROOT != f.root || r.GoCmd != f.goCmd || !slices.Equal(r.Env, []string{"GOROOT=" + f.root, "GOTOOLCHAIN=local"}) {
		t.Errorf("root = %+v", r)
	}
	for _, file := range r.Replace {
		if file != "" && !filepath.IsAbs(file) {
			t.Errorf("%s is not absolute", file)
		}
	}
}

func TestPrepareUsesTheRootsOwnGo(t *testing.T) {
	f := newFake(t, map[string]string{"p/p.go": "package p\n"})
	own := filepath.Join(f.root, "bin", "go")
	if err := os.Mkdir(filepath.Dir(own), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, nil, 0o777); err != nil {
		t.Fatal(err)
	}
	if r := f.mustPrepare(); r.GoCmd != own {
		t.Errorf("GoCmd = %s, want %s", r.GoCmd, own)
	}
}

func TestPrepareRefuses(t *testing.T) {
	files := map[string]string{"p/p.go": "package p\n\nfunc f() {}\n", "p/q.go": "package p\n", "p/p.s": "TEXT ·a(SB),4,$0\n"}
	for _, c := range []struct {
		name string
		edit Edit
		add  string
		err  error // nil: an AddedError
		says []string
	}{
		{"no such file", Edit{File: "p/gone.go", Decl: "f", Op: Drop, Why: "w"}, "", ErrNoFile, []string{"go1.26.8", "p/gone.go", "f"}},
		{"no such file to drop", Edit{File: "p/gone.go", Op: DropFile, Why: "w"}, "", ErrNoFile, []string{"go1.26.8", "p/gone.go"}},
		{"no such declaration", Edit{File: "p/p.go", Decl: "gone", Op: Drop, Why: "w"}, "", ErrNoDecl, []string{"go1.26.8", "p/p.go", "gone"}},
		{"no such symbol", Edit{File: "p/p.s", Decl: "·gone", Op: DropText, Why: "w"}, "", ErrNoSymbol, []string{"go1.26.8", "p/p.s", "·gone"}},
		{"added file that is there", Edit{}, "p/q.go", nil, []string{"go1.26.8", "p/q.go"}},
		{"added file that is edited", Edit{File: "p/p.go", Decl: "f", Op: Drop, Why: "w"}, "p/p.go", ErrConflict, []string{"go1.26.8", "p/p.go"}},
		{"malformed", Edit{File: "p/p.go", Decl: "f", Op: Drop}, "", ErrMalformed, []string{"p/p.go", "Why"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, files)
			if c.edit.Op != "" || c.edit.File != "" {
				f.engine.edits = []Edit{c.edit}
			}
			if c.add != "" {
				f.add(map[string]string{c.add: "package p\n"})
			}
			_, err := f.prepare()
			var edit *EditError
			var add *AddedError
			switch {
			case c.err == nil && !errors.As(err, &add):
				t.Fatalf("err = %v, want an AddedError", err)
			case c.err != nil && (!errors.As(err, &edit) || !errors.Is(err, c.err)):
				t.Fatalf("err = %v, want an EditError that is %v", err, c.err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
			if _, err := os.Stat(filepath.Join(f.cache, "overlay")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
	t.Run("edit of a dropped file", func(t *testing.T) {
		f := newFake(t, files)
		f.engine.edits = []Edit{{File: "p/p.go", Op: DropFile, Why: "w"}, {File: "p/p.go", Decl: "f", Op: Drop, Why: "w"}}
		if _, err := f.prepare(); !errors.Is(err, ErrConflict) {
			t.Errorf("err = %v, want %v", err, ErrConflict)
		}
	})
	t.Run("file dropped twice", func(t *testing.T) {
		f := newFake(t, files)
		f.engine.edits = []Edit{{File: "p/p.go", Op: DropFile, Why: "w"}, {File: "p/p.go", Op: DropFile, Why: "w"}}
		if _, err := f.prepare(); !errors.Is(err, ErrConflict) {
			t.Errorf("err = %v, want %v", err, ErrConflict)
		}
	})
	t.Run("added file outside every package", func(t *testing.T) {
		f := newFake(t, files)
		f.add(map[string]string{"stray.go": "package stray\n"})
		if _, err := f.prepare(); err == nil || !strings.Contains(err.Error(), "stray.go") {
			t.Errorf("err = %v", err)
		}
	})
}

func TestPrepareRefusesVersions(t *testing.T) {
	for version, ok := range map[string]bool{
		"go1.25.9": false, "go1.26": true, "go1.26.0": true, "go1.26.8 X:boringcrypto": true, "go1.26.8-vendor": true,
		"go1.27rc1": true, "go1.27.3": true, "go1.28.0": false, "devel go1.28-abc": false, "go2": false,
	} {
		f := newFake(t, map[string]string{"p/p.go": "package p\n"})
		f.version = version
		_, err := f.prepare()
		if ok {
			if err != nil {
				t.Errorf("%s: %v", version, err)
			}
			continue
		}
		var e *VersionError
		if !errors.As(err, &e) {
			t.Errorf("%s: err = %v, want a VersionError", version, err)
			continue
		}
		for _, s := range []string{strings.TrimPrefix(strings.Fields(version)[0], "go"), f.root, "1.26 and 1.27", "GOTOOLCHAIN=go1.27.0"} {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q does not say %q", err, s)
			}
		}
	}
}

func TestPrepareRefusesArch(t *testing.T) {
	f := newFake(t, nil)
	f.arch = "riscv64"
	var e *ArchError
	if _, err := f.prepare(); !errors.As(err, &e) || !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("err = %v, want an ArchError", err)
	}
}

func TestPrepareWithoutGo(t *testing.T) {
	f := newFake(t, nil)
	var e *GoCommandError
	f.goCmd = filepath.Join(f.root, "no-such-go")
	if _, err := f.prepare(); !errors.As(err, &e) || !strings.Contains(err.Error(), "go.dev/dl") {
		t.Errorf("no go command: err = %v", err)
	}
	f = newFake(t, nil)
	for answer, says := range map[string]string{"fail": "toolchain not available", "{": "JSON", "{}": "GOROOT"} {
		t.Setenv(playGo, answer)
		if _, err := f.engine.prepare(context.Background(), "", f.goCmd, f.arch, f.cache); !errors.As(err, &e) || !strings.Contains(err.Error(), says) {
			t.Errorf("go answers %q: err = %v, want one about %s", answer, err, says)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.engine.prepare(ctx, "", f.goCmd, f.arch, f.cache); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: err = %v", err)
	}
}

func TestPrepareOutsideTheModuleCache(t *testing.T) {
	f := newFake(t, map[string]string{"p/p.go": "package p\n\nfunc f() {}\n"})
	f.engine.edits = []Edit{{File: "p/p.go", Decl: "f", Op: Drop, Why: "w"}}
	f.modCache = filepath.Dir(f.root)
	f.cache = t.TempDir()
	r := f.mustPrepare()
	if below(f.modCache, r.GOROOT) || !below(f.cache, r.GOROOT) {
		t.Errorf("GOROOT = %s, want one in the cache %s", r.GOROOT, f.cache)
	}
	if _, err := os.Stat(filepath.Join(r.GOROOT, "src", "p", "p.go")); err != nil {
		t.Error(err)
	}
	if got := f.stands(r, "p/p.go"); got != "package p\n\n\n" {
		t.Errorf("p.go = %q", got)
	}
	if again := f.mustPrepare(); again.GOROOT != r.GOROOT {
		t.Errorf("GOROOT = %s, and then %s", r.GOROOT, again.GOROOT)
	}

	f.cache = filepath.Join(f.modCache, "cache")
	var e *ViewError
	if _, err := f.prepare(); !errors.As(err, &e) || !strings.Contains(err.Error(), f.root) {
		t.Errorf("a cache in the module cache: err = %v, want a ViewError", err)
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		dir, path string
		want      bool
	}{
		{"/m", "/m", true}, {"/m", "/m/x", true}, {"/m/", "/m/x/../y", true},
		{"/m", "/mx", false}, {"/m", "/", false}, {"/m", "/x", false}, {"", "/x", false}, {"/m", "/m/../x", false}, {"/m", "/m/..x", true},
	} {
		if got := below(filepath.FromSlash(c.dir), filepath.FromSlash(c.path)); got != c.want {
			t.Errorf("below(%q, %q) = %t", c.dir, c.path, got)
		}
	}
}
