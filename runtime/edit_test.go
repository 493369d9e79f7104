package runtime

import (
	"errors"
	"strings"
	"testing"
)

func TestEditsAreWellFormed(t *testing.T) {
	for _, e := range edits {
		if err := e.check(); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	good := Edit{File: "p/p.go", Decl: "f", Op: Body, Text: "x()", Why: "why"}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says   string
		spoils func(*Edit)
	}{
		{"File", func(e *Edit) { e.File = "/p/p.go" }},
		{"File", func(e *Edit) { e.File = "../p/p.go" }},
		{"File", func(e *Edit) { e.File = "p.go" }},
		{"File", func(e *Edit) { e.File = "" }},
		{"Why", func(e *Edit) { e.Why = " " }},
		{"1.27", func(e *Edit) { e.Since = "1.27" }},
		{"x", func(e *Edit) { e.Until = "x" }},
		{"Op", func(e *Edit) { e.Op = "" }},
		{"Decl", func(e *Edit) { e.Decl = "" }},
		{"Text", func(e *Edit) { e.Text = "\n" }},
		{"Text", func(e *Edit) { e.Op = Drop }},
		{"Imports", func(e *Edit) { *e = Edit{File: "p/p.go", Decl: "f", Op: Drop, Imports: []string{"os"}, Why: "w"} }},
		{"Go file", func(e *Edit) { e.File = "p/p.s" }},
		{"assembly", func(e *Edit) { *e = Edit{File: "p/p.go", Decl: "f", Op: DropText, Why: "w"} }},
		{"Decl", func(e *Edit) { *e = Edit{File: "p/p.go", Decl: "f", Op: DropFile, Why: "w"} }},
	} {
		e := good
		c.spoils(&e)
		if err := e.check(); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: err = %v, want one about %s", e, err, c.says)
		}
	}
}

func TestApplies(t *testing.T) {
	for _, c := range []struct {
		edit    Edit
		version string
		arch    string
		want    bool
	}{
		{Edit{}, "go1.26.8", "amd64", true},
		{Edit{Arch: "arm64"}, "go1.26.8", "amd64", false},
		{Edit{Arch: "amd64"}, "go1.26.8", "amd64", true},
		{Edit{Since: "go1.27"}, "go1.26.8", "amd64", false},
		{Edit{Since: "go1.27"}, "go1.27rc1", "amd64", true},
		{Edit{Since: "go1.27"}, "go1.27.0", "amd64", true},
		{Edit{Until: "go1.27"}, "go1.26.8", "amd64", true},
		{Edit{Until: "go1.27"}, "go1.27rc1", "amd64", false},
		{Edit{Since: "go1.26.3", Until: "go1.26.5"}, "go1.26.4", "amd64", true},
		{Edit{Since: "go1.26.3", Until: "go1.26.5"}, "go1.26.5", "amd64", false},
	} {
		if got := c.edit.applies(c.version, c.arch); got != c.want {
			t.Errorf("%+v applies to %s/%s = %t, want %t", c.edit, c.version, c.arch, got, c.want)
		}
	}
}
