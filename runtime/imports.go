package runtime

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// addImports brings in what Body edits ask for and the file lacks. The imports go behind the package clause, on its
// line, so that no line moves.
func (f *goFile) addImports(edits []Edit) ([]splice, error) {
	at := f.offset(f.tree.Name.End())
	have := make(map[string]string) // name used in the file -> path
	for _, s := range f.tree.Imports {
		have[importName(s)] = importPath(s)
	}
	var text strings.Builder
	var first Edit
	for _, e := range edits {
		for _, imp := range e.Imports {
			name, p, named := strings.Cut(imp, " ")
			if !named {
				name, p = guessName(imp), imp
			}
			switch old, ok := have[name]; {
			case ok && old == p:
				continue
			case ok:
				return nil, &EditError{Edit: e, Err: fmt.Errorf("%w: the file calls %s what Imports calls %s: name the import", ErrConflict, strconv.Quote(old), imp)}
			}
			have[name] = p
			if text.Len() == 0 {
				first = e
			}
			if named {
				fmt.Fprintf(&text, "; import %s %q", name, p)
			} else {
				fmt.Fprintf(&text, "; import %q", p)
			}
		}
	}
	if text.Len() == 0 {
		return nil, nil
	}
	return []splice{{from: at, to: at, text: text.String(), edit: first}}, nil
}

// dropImports removes from the patched file the imports that before, the file as it was, used and the patched file
// does not. Those that before did not use either (by a name that is not the path's last element, say) are left alone.
// "unsafe" stays as a blank import: directives need it.
func (f *goFile) dropImports(before *goFile, edits []Edit) ([]byte, error) {
	was, is := before.uses(), f.uses()
	old := make(map[string]bool)
	for _, s := range before.tree.Imports {
		old[importName(s)] = true
	}
	var splices []splice
	for _, d := range f.tree.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.IMPORT {
			continue
		}
		for _, s := range gen.Specs {
			s := s.(*ast.ImportSpec)
			name := importName(s)
			switch {
			case is[name]:
			case !old[name]:
				return nil, &EditError{Edit: importer(edits, name), Err: fmt.Errorf("%w: Text does not use the import %s", ErrMalformed, s.Path.Value)}
			case !was[name]:
			case importPath(s) == "unsafe":
				splices = append(splices, splice{from: f.offset(s.Pos()), to: f.offset(s.Path.Pos()), text: "_ "})
			case gen.Lparen.IsValid():
				splices = append(splices, f.blank(start(s.Doc, s), end(s.Comment, s)))
			default:
				splices = append(splices, f.blank(start(gen.Doc, gen), max(gen.End(), end(s.Comment, s))))
			}
		}
	}
	return apply(f.src, splices)
}

// importer returns the edit that asked for the import called name.
func importer(edits []Edit, name string) Edit {
	for _, e := range edits {
		for _, imp := range e.Imports {
			if n, _, named := strings.Cut(imp, " "); named && n == name || !named && guessName(imp) == name {
				return e
			}
		}
	}
	return edits[0]
}

// uses returns the names through which the file selects from something that it does not declare: from imports,
// that is. A local variable that hides an import does not count.
func (f *goFile) uses() map[string]bool {
	free := make(map[*ast.Ident]bool)
	for _, id := range f.tree.Unresolved {
		free[id] = true
	}
	used := make(map[string]bool)
	ast.Inspect(f.tree, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && free[id] {
				used[id.Name] = true
			}
		}
		return true
	})
	return used
}

func importPath(s *ast.ImportSpec) string {
	p, err := strconv.Unquote(s.Path.Value)
	if err != nil {
		return s.Path.Value
	}
	return p
}

// importName returns the name by which the file calls an import.
func importName(s *ast.ImportSpec) string {
	if s.Name != nil {
		return s.Name.Name
	}
	return guessName(importPath(s))
}

var majorSuffix = regexp.MustCompile(`^v[2-9][0-9]*$`)

// guessName returns the package name that an import path of the standard library stands for.
func guessName(p string) string {
	if base := path.Base(p); !majorSuffix.MatchString(base) {
		return base
	}
	return path.Base(path.Dir(p))
}
