package hardtack

import (
	"go/ast"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pages are the files whose statements about the tree are checked.
var pages = []string{"README.md", "ARCHITECTURE.md", "SPECIFICATION.md", "CONTRIBUTING.md"}

// elsewhere are names in pages that look like files of ours and are the app's, or the Go root's.
var elsewhere = map[string]string{
	"libos.toml":           "an app's",
	"netpoll_epoll.go":     "std's",
	"_unsafe.go":           "an ending",
	"./samples/hello":      "as the go command wants it",
	"internal/poll.writev": "std's function",
}

var (
	codeBlock = regexp.MustCompile(`(?m)^( {4}|\t).*$`)
	codeSpan  = regexp.MustCompile("`([^`\n]+)`")
	link      = regexp.MustCompile(`\]\(([^)#]+)\)`)
	pathLike  = regexp.MustCompile(`^[\w./*-]+$`)
)

// TestPagesNameWhatExists looks up each path that a page names: links, and names in backquotes that begin with one of
// our folders or have a file's ending. A name without a folder may be any file's of the bottom half; a * stands for
// any characters.
func TestPagesNameWhatExists(t *testing.T) {
	top, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Error(err)
			continue
		}
		text := codeBlock.ReplaceAllString(string(data), "")
		var names []string
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		found := 0
		for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
			name := m[1]
			first, _, folder := strings.Cut(name, "/")
			ours := folder && slices.ContainsFunc(top, func(e os.DirEntry) bool { return e.IsDir() && e.Name() == first })
			file := slices.Contains([]string{".go", ".s", ".S", ".bin", ".md", ".txt", ".toml"}, path.Ext(name))
			if pathLike.MatchString(name) && (ours || file) && elsewhere[name] == "" {
				names = append(names, name)
			}
		}
		for _, name := range names {
			found++
			if strings.Contains(name, "://") {
				continue
			}
			candidates := []string{name}
			if !strings.Contains(name, "/") {
				candidates = append(candidates, addedFiles+"/src/runtime/"+name)
			}
			if !slices.ContainsFunc(candidates, exists) {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
		if page == "ARCHITECTURE.md" && found < 50 {
			t.Errorf("only %d paths were found in %s", found, page)
		}
	}
}

func exists(name string) bool {
	if !strings.Contains(name, "*") {
		_, err := os.Stat(name)
		return err == nil
	}
	dir, pattern := path.Split(name)
	entries, _ := os.ReadDir(path.Clean(dir))
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		ok, _ := path.Match(pattern, e.Name())
		return ok
	})
}

// TestSpecification checks the tables of promises: each has four cells, its tests and bench rows exist, and what is said
// to be held or not met has something that decides it.
func TestSpecification(t *testing.T) {
	data, err := os.ReadFile("SPECIFICATION.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, rows := map[string]bool{"soak": true}, map[string]bool{}
	for dir, files := range packages(t) {
		for _, f := range files {
			if dir == "ci/bench" {
				ast.Inspect(f.ast, func(n ast.Node) bool {
					if s := rowName(n); s != "" {
						rows["bench "+s] = true
					}
					return true
				})
			}
			if !strings.HasSuffix(f.path, "_test.go") {
				continue
			}
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
					tests[dir+" "+fn.Name.Name] = true
				}
			}
		}
	}
	promises := 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || line == "| promise | value | held by | state |" {
			continue
		}
		promises++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			t.Errorf("%d cells, not 4: %s", len(cells), line)
			continue
		}
		promise, state := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[3])
		holders := codeSpan.FindAllStringSubmatch(cells[2], -1)
		for _, m := range holders {
			if !tests[m[1]] && !rows[m[1]] {
				t.Errorf("%s: there is no %s", promise, m[1])
			}
		}
		switch word, _, _ := strings.Cut(state, ":"); {
		case strings.HasPrefix(state, "pending"):
		case word != "not met" && !strings.HasPrefix(state, "held"):
			t.Errorf("%s: its state is neither held, pending nor not met: %s", promise, state)
		case len(holders) == 0:
			t.Errorf("%s is said to be decided, but nothing decides it", promise)
		}
	}
	if promises < 20 {
		t.Errorf("only %d promises were found", promises)
	}
	for row := range rows {
		if !strings.Contains(string(data), "`"+row+"`") {
			t.Errorf("no promise is held by %s", row)
		}
	}
}

// rowName returns the name of the bench row that n makes: the field Name of a Row, or the first argument of a function
// ending in Row.
func rowName(n ast.Node) string {
	var e ast.Expr
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Name" {
			e = n.Value
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && strings.HasSuffix(f.Name, "Row") && len(n.Args) > 0 {
			e = n.Args[0]
		}
	}
	if l, ok := e.(*ast.BasicLit); ok {
		s, _ := strconv.Unquote(l.Value)
		return s
	}
	return ""
}
