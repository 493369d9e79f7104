package runtime

import (
	"fmt"
	"go/ast"
	"strings"
)

// A decl is one name that a Go file declares at top level: a function or method (fn), or a name in a const, type or
// var declaration (gen and the fields after it).
type decl struct {
	name    *ast.Ident
	fn      *ast.FuncDecl
	gen     *ast.GenDecl
	spec    ast.Spec
	names   int               // how many names spec declares
	doc     *ast.CommentGroup // of spec
	comment *ast.CommentGroup // behind spec
}

// find returns the declaration that an [Edit] calls name. The error is ErrNoDecl or ErrAmbiguous.
func (f *goFile) find(name string) (decl, error) {
	var found []decl
	var near []string
	for d := range f.decls {
		switch full := d.fullName(); {
		case full == name:
			found = append(found, d)
		case full != "_" && d.name.Name == name[strings.LastIndexByte(name, '.')+1:]:
			near = append(near, full)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return decl{}, ErrAmbiguous
	case len(near) > 0:
		return decl{}, fmt.Errorf("%w (it does declare %s)", ErrNoDecl, strings.Join(near, ", "))
	}
	return decl{}, ErrNoDecl
}

// decls yields every name declared at top level.
func (f *goFile) decls(yield func(decl) bool) {
	for _, d := range f.tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if !yield(decl{name: d.Name, fn: d}) {
				return
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if !yield(decl{s.Name, nil, d, s, 1, s.Doc, s.Comment}) {
						return
					}
				case *ast.ValueSpec:
					for _, n := range s.Names {
						if !yield(decl{n, nil, d, s, len(s.Names), s.Doc, s.Comment}) {
							return
						}
					}
				}
			}
		}
	}
}

// fullName returns the name as an [Edit] writes it: "f", "T.m" or "(*T).m", without type parameters.
func (d decl) fullName() string {
	if d.fn == nil || d.fn.Recv == nil || len(d.fn.Recv.List) != 1 {
		return d.name.Name
	}
	recv := ast.Unparen(d.fn.Recv.List[0].Type)
	star, pointer := recv.(*ast.StarExpr)
	if pointer {
		recv = ast.Unparen(star.X)
	}
	switch t := recv.(type) {
	case *ast.IndexExpr:
		recv = t.X
	case *ast.IndexListExpr:
		recv = t.X
	}
	base, ok := recv.(*ast.Ident)
	if !ok {
		return d.name.Name
	}
	if pointer {
		return "(*" + base.Name + ")." + d.name.Name
	}
	return base.Name + "." + d.name.Name
}
