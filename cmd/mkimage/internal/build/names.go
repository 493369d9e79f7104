package build

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
)

// names reports whether is says so of a name that Go source uses of another package: the package's import path, whatever the file calls it, the name, and whether it is
// called. Methods and fields have no path. A local variable with the name of an import counts as the import: one too many costs bytes. What does not
// parse is go build's to tell.
func names(src []byte, is func(pkg, name string, called bool) bool) (found bool) {
	file, _ := parser.ParseFile(token.NewFileSet(), "", src, parser.SkipObjectResolution)
	if file == nil {
		return false
	}
	imports := map[string]string{}
	var dots []string
	for _, i := range file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		switch {
		case err != nil:
		case i.Name == nil:
			imports[path.Base(p)] = p
		case i.Name.Name == ".":
			dots = append(dots, p)
		default:
			imports[i.Name.Name] = p
		}
	}
	called := map[ast.Expr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr: // comes before what it calls
			called[ast.Unparen(n.Fun)] = true
		case *ast.SelectorExpr:
			pkg := ""
			if x, ok := n.X.(*ast.Ident); ok {
				pkg = imports[x.Name]
			}
			found = found || is(pkg, n.Sel.Name, called[n])
		case *ast.Ident:
			found = found || slices.ContainsFunc(dots, func(pkg string) bool { return is(pkg, n.Name, called[n]) })
		}
		return !found
	})
	return found
}
