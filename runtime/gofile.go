package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// A goFile is one Go file of the root with its syntax tree.
type goFile struct {
	src  []byte
	fset *token.FileSet
	tree *ast.File
}

func parseGo(src []byte) (*goFile, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, "", src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &goFile{src, fset, tree}, nil
}

// offset returns where pos is in src. Directives that renumber lines do not bend it.
func (f *goFile) offset(pos token.Pos) int { return f.fset.File(pos).Offset(pos) }

// blank removes what lies between two positions and keeps its line ends.
func (f *goFile) blank(from, to token.Pos) splice {
	return blank(f.src, f.offset(from), f.offset(to))
}

// patchGo makes edits of the kinds Drop, Body, Rename, Redirect and Field in one Go file. Errors are [*EditError], without a version.
func patchGo(src []byte, edits []Edit) ([]byte, error) {
	f, err := parseGo(src)
	if err != nil {
		return nil, &EditError{Edit: edits[0], Err: fmt.Errorf("the Go root's file does not parse: %w", err)}
	}
	var splices []splice
	for _, e := range edits {
		list, err := f.splice(e)
		if err != nil {
			return nil, &EditError{Edit: e, Err: err}
		}
		for _, s := range list {
			s.edit = e
			splices = append(splices, s)
		}
	}
	imports, err := f.addImports(edits)
	if err != nil {
		return nil, err
	}
	out, err := apply(src, append(splices, imports...))
	if err != nil {
		return nil, err
	}
	patched, err := parseGo(out)
	if err != nil {
		return nil, &EditError{Edit: blame(edits), Err: fmt.Errorf("%w: the file does not parse with it: %w", ErrMalformed, err)}
	}
	return patched.dropImports(f, edits)
}

// blame returns the edit that is most likely at fault when a patched file does not parse: the first that brings text.
func blame(edits []Edit) Edit {
	for _, e := range edits {
		if e.Op != Body {
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", "package p; func _() {\n"+e.Text+"\n}", 0); err != nil {
			return e
		}
	}
	return edits[0]
}

// splice returns what one edit does to the file.
func (f *goFile) splice(e Edit) ([]splice, error) {
	d, err := f.find(e.Decl)
	if err != nil {
		return nil, err
	}
	var s splice
	switch e.Op {
	case Drop:
		s = f.drop(d)
	case Body:
		s, err = f.body(d, e.Text)
	case Rename:
		s, err = f.rename(d, e.Text)
	case Redirect:
		return f.redirect(d, e.Text)
	case Field:
		s, err = f.field(d, e.Text)
	default:
		panic("runtime: " + string(e.Op) + " is not for Go files") // Edit.check lets none through
	}
	return []splice{s}, err
}

// redirect makes a function's calls of one function, which may be another package's, go to another.
func (f *goFile) redirect(d decl, text string) ([]splice, error) {
	from, to, ok := strings.Cut(text, " ")
	pkg, name, other := strings.Cut(from, ".")
	if !ok || !token.IsIdentifier(pkg) || other && !token.IsIdentifier(name) || !token.IsIdentifier(to) {
		return nil, fmt.Errorf("%w: %q is not \"from to\"", ErrMalformed, text)
	}
	if d.fn == nil || d.fn.Body == nil {
		return nil, fmt.Errorf("%w: it is not a function with a body", ErrMalformed)
	}
	var list []splice
	ast.Inspect(d.fn.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			called := ""
			switch fun := call.Fun.(type) {
			case *ast.Ident:
				called = fun.Name
			case *ast.SelectorExpr:
				if id, ok := fun.X.(*ast.Ident); ok {
					called = id.Name + "." + fun.Sel.Name
				}
			}
			if called == from {
				list = append(list, splice{from: f.offset(call.Fun.Pos()), to: f.offset(call.Fun.End()), text: to})
			}
		}
		return true
	})
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: it does not call %s", ErrNoDecl, from)
	}
	return list, nil
}

// field adds fields to a struct, on the line of its closing brace.
func (f *goFile) field(d decl, text string) (splice, error) {
	spec, ok := d.spec.(*ast.TypeSpec)
	if !ok {
		return splice{}, fmt.Errorf("%w: it is not a type", ErrMalformed)
	}
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return splice{}, fmt.Errorf("%w: it is not a struct", ErrMalformed)
	}
	at := f.offset(st.Fields.Closing)
	text = strings.TrimSpace(text) + " "
	if n := len(st.Fields.List); n > 0 && !bytes.Contains(f.src[f.offset(st.Fields.List[n-1].End()):at], []byte("\n")) {
		text = "; " + text
	}
	return splice{from: at, to: at, text: text}, nil
}

// drop removes a declaration.
func (f *goFile) drop(d decl) splice {
	if d.fn != nil {
		return f.blank(start(d.fn.Doc, d.fn), d.fn.End())
	}
	alone := len(d.gen.Specs) == 1
	if d.names > 1 || d.gen.Tok == token.CONST && !alone {
		return splice{from: f.offset(d.name.Pos()), to: f.offset(d.name.End()), text: "_"}
	}
	if alone {
		return f.blank(start(d.gen.Doc, d.gen), max(d.gen.End(), end(d.comment, d.gen)))
	}
	return f.blank(start(d.doc, d.spec), end(d.comment, d.spec))
}

// body gives a function other statements.
func (f *goFile) body(d decl, text string) (splice, error) {
	if d.fn == nil {
		return splice{}, fmt.Errorf("%w: it is not a function", ErrMalformed)
	}
	if d.fn.Body == nil {
		return splice{}, fmt.Errorf("%w: it has no body in the Go root; drop it and declare it in an added file", ErrMalformed)
	}
	from, to := f.offset(d.fn.Body.Pos()), f.offset(d.fn.Body.End())
	return splice{from: from, to: to, text: bodyText(text, bytes.Count(f.src[from:to], []byte("\n")))}, nil
}

// bodyText puts statements between braces, on at least the given number of line ends, so that the closing brace stays
// on its line where it can.
func bodyText(text string, lines int) string {
	text = strings.TrimSpace(text)
	n := strings.Count(text, "\n")
	switch {
	case lines == 0 && n == 0 && !strings.Contains(text, "//"):
		return "{ " + text + " }"
	case lines >= n+2:
		return "{\n" + text + strings.Repeat("\n", lines-n-1) + "}"
	case lines == n+1 && n == 0:
		return "{ " + text + "\n}"
	}
	return "{\n" + text + "\n}"
}

// rename gives a declaration another name; what calls it by the old one goes on doing so.
func (f *goFile) rename(d decl, name string) (splice, error) {
	switch {
	case !token.IsIdentifier(name):
		return splice{}, fmt.Errorf("%w: %q is not a name", ErrMalformed, name)
	case d.fn != nil && d.fn.Body == nil:
		return splice{}, fmt.Errorf("%w: it has no body in the Go root, and renaming would part it from its symbol", ErrMalformed)
	case d.gen != nil && d.gen.Tok == token.TYPE:
		return splice{}, fmt.Errorf("%w: a type's methods would stay with the old name", ErrMalformed)
	}
	return splice{from: f.offset(d.name.Pos()), to: f.offset(d.name.End()), text: name}, nil
}

// start returns where node begins, with its comment if it has one.
func start(doc *ast.CommentGroup, node ast.Node) token.Pos {
	if doc != nil {
		return doc.Pos()
	}
	return node.Pos()
}

// end returns where node ends, with the comment behind it if it has one.
func end(comment *ast.CommentGroup, node ast.Node) token.Pos {
	if comment != nil {
		return comment.End()
	}
	return node.End()
}

// withVersion fills in the Go version of an EditError.
func withVersion(err error, version string) error {
	if e := (*EditError)(nil); errors.As(err, &e) {
		e.Version = version
	}
	return err
}
