package runtime

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of README.md again")

// TestPage holds README.md to what is really added and edited: `go generate ./runtime` writes it again.
func TestPage(t *testing.T) {
	const page = "README.md"
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := fill(t, string(old), "edits", editsTable(edits))
	text = fill(t, text, "added", addedRows(t, added("_goroot")))
	for _, g := range groups {
		text = fill(t, text, g.Name+" edits", editsTable(g.edits))
		text = fill(t, text, g.Name+" added", addedRows(t, g.added))
	}
	if text == string(old) {
		return
	}
	if !*update {
		t.Fatalf("%s is stale: run `go generate ./runtime`", page)
	}
	if err := os.WriteFile(page, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// addedRows is addedTable for a tree.
func addedRows(t *testing.T, tree fs.FS) string {
	t.Helper()
	files, err := readAll(tree)
	if err != nil {
		t.Fatal(err)
	}
	table, err := addedTable(files)
	if err != nil {
		t.Error(err)
	}
	return table
}

// fill puts a table between the two marks of its name.
func fill(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+": generated -->\n", "<!-- "+name+": end -->\n"
	head, rest, ok := strings.Cut(text, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md lacks the marks %q and %q", begin, end)
	}
	return head + begin + table + end + tail
}

// editsTable has one row for each edit, by file.
func editsTable(edits []Edit) string {
	if len(edits) == 0 {
		return "None.\n"
	}
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int { return strings.Compare(a.File, b.File) })
	var b strings.Builder
	b.WriteString("| file | declaration | edit | for | why |\n|---|---|---|---|---|\n")
	for _, e := range edits {
		decl, op := "–", string(e.Op)
		if e.Decl != "" {
			decl = "`" + e.Decl + "`"
		}
		if e.Op == Rename {
			op += " to `" + e.Text + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", e.File, decl, op, scope(e), cell(e.Why))
	}
	return b.String()
}

// scope says for which Go releases and architectures an edit is.
func scope(e Edit) string {
	var s []string
	if e.Since != "" {
		s = append(s, "from "+e.Since)
	}
	if e.Until != "" {
		s = append(s, "before "+e.Until)
	}
	if e.Arch != "" {
		s = append(s, e.Arch)
	}
	return cmp.Or(strings.Join(s, ", "), "all")
}

// addedTable has one row for each added file, with the first sentence of its comment.
func addedTable(files map[string][]byte) (string, error) {
	if len(files) == 0 {
		return "None.\n", nil
	}
	var b strings.Builder
	var mute []string
	b.WriteString("| file | what it is for |\n|---|---|\n")
	for _, name := range sorted(files) {
		s := synopsis(name, files[name])
		if s == "" {
			mute = append(mute, name)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, cell(s))
	}
	if mute != nil {
		return b.String(), fmt.Errorf("these added files do not start with a comment that says what they are for: %s", strings.Join(mute, ", "))
	}
	return b.String(), nil
}

// synopsis returns the first sentence of the first comment of a file that is not a directive.
func synopsis(name string, text []byte) string {
	var comments []string
	switch path.Ext(name) {
	case ".go":
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return ""
		}
		comments = headComments(f)
	default:
		comments = lineComments(text)
	}
	for _, c := range comments {
		paragraph, _, _ := strings.Cut(c, "\n\n")
		text := strings.Join(strings.Fields(paragraph), " ")
		if text == "" {
			continue
		}
		first := new(doc.Package).Synopsis(text)
		if rest := strings.TrimPrefix(text, first); len(first) < 30 { // a heading: "Clocks."
			first = strings.TrimSpace(first + " " + new(doc.Package).Synopsis(rest))
		}
		return first
	}
	return ""
}

// headComments returns the comments, directives left out, that stand before what a Go file declares. One behind an
// import is about the import.
func headComments(f *ast.File) (comments []string) {
	at := 0 // how many of f.Decls, all imports, lie before c
	for _, c := range f.Comments {
		for at < len(f.Decls) && f.Decls[at].End() < c.Pos() {
			at++
		}
		if at < len(f.Decls) && f.Decls[at].Pos() < c.Pos() {
			if isImport(f.Decls[at]) {
				continue
			}
			break
		}
		if at > 0 && !isImport(f.Decls[at-1]) {
			break
		}
		if at > 0 && behind(f.Decls[at-1], c) {
			continue
		}
		comments = append(comments, c.Text())
	}
	return comments
}

func isImport(d ast.Decl) bool {
	gen, ok := d.(*ast.GenDecl)
	return ok && gen.Tok == token.IMPORT
}

// behind reports whether c is the comment behind an import on the same line.
func behind(d ast.Decl, c *ast.CommentGroup) bool {
	for _, s := range d.(*ast.GenDecl).Specs {
		if s.(*ast.ImportSpec).Comment == c {
			return true
		}
	}
	return false
}

// lineComments returns the runs of // lines of a file that is not Go, directives left out.
func lineComments(text []byte) []string {
	var runs []string
	open := false
	for line := range bytes.Lines(text) {
		comment, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "//")
		switch {
		case !ok:
			open = false
			continue
		case strings.HasPrefix(comment, "go:"):
			continue
		case !open:
			runs = append(runs, "")
			open = true
		}
		runs[len(runs)-1] += strings.TrimPrefix(comment, " ") + "\n"
	}
	return runs
}

// cell makes text fit for a cell of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

func TestSynopsis(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"p/a.go", "// Package p is one thing only, no more. It does more.\npackage p\n", "Package p is one thing only, no more."},
		{"p/a.go", "//go:build amd64\n\npackage p\n\n// Frames are\n// pages. More.\n\nimport \"os\"\n", "Frames are pages. More."},
		{"p/a.go", "//go:build amd64\n\npackage p\n\n//go:nosplit\n// f does it.\nfunc f() {}\n", "f does it."},
		{"p/a.go", "package p\n\nfunc f() {\n\t// inside\n}\n", ""},
		{"p/a.go", "package p\n\nimport _ \"unsafe\" // for linkname\n\n// Doors lead into the library, one for each call. More.\n\nfunc f() {}\n", "Doors lead into the library, one for each call."},
		{"p/a.go", "package p\n\nimport (\n\t\"os\" // for x\n\t_ \"a\"\n)\n\n// Clocks. They tick. They tock.\n\nvar x int\n", "Clocks. They tick."},
		{"p/a.go", "package p\n\nfunc f() {}\n\n// g is late.\nfunc g() {}\n", ""},
		{"p/a.s", "//go:build amd64\n\n// Traps enter\n// here. More.\n\n// Other.\n#include \"x.h\"\n", "Traps enter here. More."},
		{"p/a.s", "#include \"x.h\"\n", ""},
	} {
		if got := synopsis(c.name, []byte(c.text)); got != c.want {
			t.Errorf("synopsis of %q = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestTables(t *testing.T) {
	got := editsTable([]Edit{
		{File: "q/q.go", Decl: "f", Op: Rename, Text: "f0", Since: "go1.27", Arch: "amd64", Why: "a | b"},
		{File: "p/p.go", Op: DropFile, Why: "gone\nby now"},
	})
	want := "| file | declaration | edit | for | why |\n|---|---|---|---|---|\n" +
		"| `p/p.go` | – | drop file | all | gone by now |\n" +
		"| `q/q.go` | `f` | rename to `f0` | from go1.27, amd64 | a \\| b |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := addedTable(map[string][]byte{"p/mute.go": []byte("package p\n")}); err == nil || !strings.Contains(err.Error(), "p/mute.go") {
		t.Errorf("a file without a comment: err = %v", err)
	}
}
