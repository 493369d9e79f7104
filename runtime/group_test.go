package runtime

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// TestGroup compares views with and without a group, which edits what the Go root has and what every image gets.
func TestGroup(t *testing.T) {
	f := newFake(t, map[string]string{"p/p.go": "package p\n\ntype T struct {\n\ta int\n}\n", "q/q.go": "package q\n\nfunc f() {}\n"})
	f.engine.added = fstest.MapFS{"p/exo.go": {Data: []byte("package p\n\nfunc tick() {}\n")}}
	f.engine.edits = []Edit{{File: "q/q.go", Decl: "f", Op: Drop, Why: "test"}}
	plain := f.mustPrepare()
	if len(plain.Replace) != 2 {
		t.Errorf("without the group these are replaced: %v", plain.Replace)
	}

	f.engine.groups = []*Group{{"g", fstest.MapFS{"p/exo_g.go": {Data: []byte("package p\n\nfunc tick() { plainTick() }\n")}}, []Edit{
		{File: "p/p.go", Decl: "T", Op: Field, Text: "b int", Why: "test"},
		{File: "p/exo.go", Decl: "tick", Op: Rename, Text: "plainTick", Why: "test"},
	}}}
	with := f.mustPrepare()
	for name, want := range map[string]string{
		"p/p.go":     "package p\n\ntype T struct {\n\ta int\nb int }\n",
		"p/exo.go":   "package p\n\nfunc plainTick() {}\n",
		"p/exo_g.go": "package p\n\nfunc tick() { plainTick() }\n",
		"q/q.go":     f.stands(plain, "q/q.go"),
	} {
		if got := f.stands(with, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}

	f.engine.groups = nil
	if again := f.mustPrepare(); f.stands(again, "p/exo.go") != f.stands(plain, "p/exo.go") || len(again.Replace) != len(plain.Replace) {
		t.Error("without the group the view is another one than before")
	}
}

// TestGroupConflicts looks at what a group may not do.
func TestGroupConflicts(t *testing.T) {
	e := &engine{added: fstest.MapFS{"p/exo.go": {Data: []byte("package p\n")}}}
	e.groups = []*Group{{"g", fstest.MapFS{"p/exo.go": {Data: []byte("package p\n")}}, nil}}
	if _, err := e.plan("go1.26.8", "amd64"); !errors.As(err, new(*AddedError)) {
		t.Errorf("a group that adds what every image gets: %v", err)
	}
	e.groups = nil
	e.edits = []Edit{{File: "p/exo.go", Decl: "f", Op: Drop, Why: "test"}}
	if _, err := e.plan("go1.26.8", "amd64"); !errors.Is(err, ErrConflict) {
		t.Errorf("an edit of every image's that changes an added file: %v", err)
	}
}

func TestField(t *testing.T) {
	for src, want := range map[string]string{
		"package p\n\ntype T struct{}\n":                         "package p\n\ntype T struct{x int }\n",
		"package p\n\ntype T struct{ a int }\n":                  "package p\n\ntype T struct{ a int ; x int }\n",
		"package p\n\ntype T struct {\n\ta int\n}\n":             "package p\n\ntype T struct {\n\ta int\nx int }\n",
		"package p\n\ntype T struct {\n\ta int // last\n\n}\n":   "package p\n\ntype T struct {\n\ta int // last\n\nx int }\n",
		"package p\n\ntype (\n\tT struct {\n\t\ta int\n\t}\n)\n": "package p\n\ntype (\n\tT struct {\n\t\ta int\n\tx int }\n)\n",
	} {
		got, err := patchGo([]byte(src), []Edit{goEdit(Field, "T", "x int")})
		if err != nil || string(got) != want {
			t.Errorf("%q became %q, %v; want %q", src, got, err, want)
		}
	}
	for _, src := range []string{"package p\n\ntype T int\n", "package p\n\nfunc T() {}\n", "package p\n\nvar T int\n"} {
		if _, err := patchGo([]byte(src), []Edit{goEdit(Field, "T", "x int")}); err == nil || !strings.Contains(err.Error(), ErrMalformed.Error()) {
			t.Errorf("%q: %v", src, err)
		}
	}
}
