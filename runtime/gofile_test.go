package runtime

import (
	"errors"
	"strings"
	"testing"
)

// goEdit is an Edit of the file that the tests below patch.
func goEdit(op Op, decl, text string, imports ...string) Edit {
	return Edit{File: "p/p.go", Decl: decl, Op: op, Text: text, Imports: imports, Why: "test"}
}

var goCases = []struct {
	name  string
	src   string
	edits []Edit
	want  string
}{
	{
		"drop a function with its comment, lines stay",
		"package p\n\n// f is.\n//\n//go:nosplit\nfunc f() {\n}\n\nfunc g() {}\n",
		[]Edit{goEdit(Drop, "f", "")},
		"package p\n\n\n\n\n\n\n\nfunc g() {}\n",
	}, {
		"redirect calls of another package's function, and no others",
		"package p\n\nimport \"q\"\n\nfunc f(x T) { q.F(1); F(2); x.F(q.F); q.G(q.F(3)) }\n",
		[]Edit{goEdit(Redirect, "f", "q.F mine")},
		"package p\n\nimport \"q\"\n\nfunc f(x T) { mine(1); F(2); x.F(q.F); q.G(mine(3)) }\n",
	}, {
		"drop a declaration without a body",
		"package p\n\nfunc f()\nfunc g()\n",
		[]Edit{goEdit(Drop, "f", "")},
		"package p\n\n\nfunc g()\n",
	}, {
		"drop methods, told apart by their receiver",
		"package p\n\nfunc (t T) m() {}\nfunc (t *U) m() {}\nfunc (*G[T]) m() {}\nfunc (H[K, V]) m() {}\nfunc m() {}\n",
		[]Edit{goEdit(Drop, "T.m", ""), goEdit(Drop, "(*G).m", ""), goEdit(Drop, "H.m", "")},
		"package p\n\n\nfunc (t *U) m() {}\n\n\nfunc m() {}\n",
	}, {
		"drop a type",
		"package p\n\n// T is.\ntype T struct {\n\tx int\n} // behind\n\ntype U int\n",
		[]Edit{goEdit(Drop, "T", "")},
		"package p\n\n\n\n\n\n\ntype U int\n",
	}, {
		"drop from a group",
		"package p\n\nvar (\n\t// a is.\n\ta int // one\n\tb int\n)\n",
		[]Edit{goEdit(Drop, "a", "")},
		"package p\n\nvar (\n\t\n\n\tb int\n)\n",
	}, {
		"drop all of a group",
		"package p\n\nvar (\n\ta int\n)\n\nvar b int\n",
		[]Edit{goEdit(Drop, "a", "")},
		"package p\n\n\n\n\n\nvar b int\n",
	}, {
		"drop a constant and keep those that follow",
		"package p\n\nconst (\n\ta = iota\n\tb\n\tc\n)\n",
		[]Edit{goEdit(Drop, "a", ""), goEdit(Drop, "b", "")},
		"package p\n\nconst (\n\t_ = iota\n\t_\n\tc\n)\n",
	}, {
		"drop a constant that stands alone",
		"package p\n\nconst a = 1 // one\nconst b = 2\n",
		[]Edit{goEdit(Drop, "a", "")},
		"package p\n\n\nconst b = 2\n",
	}, {
		"drop one name of several",
		"package p\n\nvar a, b = f()\n",
		[]Edit{goEdit(Drop, "b", "")},
		"package p\n\nvar a, _ = f()\n",
	}, {
		"a body on one line",
		"package p\n\nfunc f() int { return 1 }\n",
		[]Edit{goEdit(Body, "f", "return 2")},
		"package p\n\nfunc f() int { return 2 }\n",
	}, {
		"a shorter body, the brace stays",
		"package p\n\nfunc f() int {\n\t// why\n\tx := 1\n\treturn x\n}\n\nfunc g() {}\n",
		[]Edit{goEdit(Body, "f", "return 2")},
		"package p\n\nfunc f() int {\nreturn 2\n\n\n}\n\nfunc g() {}\n",
	}, {
		"a longer body, the lines behind it keep their numbers",
		"package p\n\nfunc f() int { return 1 } // x\n\nfunc g() {}\n",
		[]Edit{goEdit(Body, "f", "x := 1\nreturn x")},
		"package p\n\nfunc f() int {\nx := 1\nreturn x\n} // x\n//line :4:1\n\nfunc g() {}\n",
	}, {
		"a body of one statement and a comment",
		"package p\n\nfunc f() int { return 1 }\n",
		[]Edit{goEdit(Body, "f", "return 2 // two")},
		"package p\n\nfunc f() int {\nreturn 2 // two\n}\n//line :4:1\n",
	}, {
		"two longer bodies on one line",
		"package p\n\nfunc f() {}; func g() {}\n\nfunc h() {}\n",
		[]Edit{goEdit(Body, "f", "x()\ny()"), goEdit(Body, "g", "x()\ny()")},
		"package p\n\nfunc f() {\nx()\ny()\n}; func g() {\nx()\ny()\n}\n//line :4:1\n\nfunc h() {}\n",
	}, {
		"a longer body at the end of the file",
		"package p\n\nfunc f() {}",
		[]Edit{goEdit(Body, "f", "x()\ny()")},
		"package p\n\nfunc f() {\nx()\ny()\n}",
	}, {
		"rename and give a body",
		"package p\n\n//go:linkname f q.f\nfunc f() { f() }\n\nvar v = f\n",
		[]Edit{goEdit(Rename, "f", "f0"), goEdit(Body, "f", "g()"), goEdit(Rename, "v", "v0")},
		"package p\n\n//go:linkname f q.f\nfunc f0() { g() }\n\nvar v0 = f\n",
	}, {
		"an import that is no longer used goes",
		"package p\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\n",
		[]Edit{goEdit(Drop, "f", "")},
		"package p\n\n\n\n\n",
	}, {
		"one of several imports goes, others and blank ones stay",
		"package p\n\nimport (\n\t\"math/rand/v2\" // r\n\t\"os\"\n\tx \"strings\"\n\t_ \"time\"\n)\n\nfunc f() { os.Exit(rand.Int()); x.Cut() }\nfunc g() { os.Exit(0) }\n",
		[]Edit{goEdit(Drop, "f", "")},
		"package p\n\nimport (\n\t\n\t\"os\"\n\t\n\t_ \"time\"\n)\n\n\nfunc g() { os.Exit(0) }\n",
	}, {
		"a variable that hides an import does not use it",
		"package p\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\nfunc g(os T) { os.Exit(1) }\n",
		[]Edit{goEdit(Drop, "f", "")},
		"package p\n\n\n\n\nfunc g(os T) { os.Exit(1) }\n",
	}, {
		"an import whose name cannot be told is left alone",
		"package p\n\nimport \"go-yaml\"\n\nfunc f() { yaml.X() }\nfunc g() { yaml.X() }\n",
		[]Edit{goEdit(Drop, "f", "")},
		"package p\n\nimport \"go-yaml\"\n\n\nfunc g() { yaml.X() }\n",
	}, {
		"unsafe stays for the directives",
		"package p\n\nimport \"unsafe\"\n\n//go:linkname g q.g\n\nfunc f(p unsafe.Pointer) {}\n",
		[]Edit{goEdit(Drop, "f", "")},
		"package p\n\nimport _ \"unsafe\"\n\n//go:linkname g q.g\n\n\n",
	}, {
		"a body brings imports, those that the file has are not repeated",
		"package p // p\n\nimport \"os\"\n\nfunc f() {}\n",
		[]Edit{goEdit(Body, "f", "os.Exit(a.B() + c.D())", "os", "x/a", "c x/d")},
		"package p; import \"x/a\"; import c \"x/d\" // p\n\nimport \"os\"\n\nfunc f() { os.Exit(a.B() + c.D()) }\n",
	}, {
		"what the new body no longer needs goes, what it needs stays",
		"package p\n\nimport (\n\t\"a\"\n\t\"b\"\n)\n\nfunc f() { a.X(); b.Y() }\n",
		[]Edit{goEdit(Body, "f", "b.Z()")},
		"package p\n\nimport (\n\t\n\t\"b\"\n)\n\nfunc f() { b.Z() }\n",
	},
}

func TestPatchGo(t *testing.T) {
	for _, c := range goCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := patchGo([]byte(c.src), c.edits)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got:\n%q\nwant:\n%q", got, c.want)
			}
		})
	}
}

func TestPatchGoRefuses(t *testing.T) {
	const src = "package p\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\nfunc bare()\nfunc init() {}\nfunc init() {}\ntype T int\nfunc (t *T) m() {}\n"
	for _, c := range []struct {
		name  string
		edits []Edit
		err   error
		says  string
	}{
		{"no such function", []Edit{goEdit(Drop, "gone", "")}, ErrNoDecl, "gone"},
		{"the other receiver", []Edit{goEdit(Drop, "T.m", "")}, ErrNoDecl, "(*T).m"},
		{"blank", []Edit{goEdit(Drop, "_", "")}, ErrNoDecl, "_"},
		{"two of a name", []Edit{goEdit(Drop, "init", "")}, ErrAmbiguous, "init"},
		{"twice", []Edit{goEdit(Drop, "f", ""), goEdit(Drop, "f", "")}, ErrConflict, "f"},
		{"dropped and renamed", []Edit{goEdit(Rename, "f", "g"), goEdit(Drop, "f", "")}, ErrConflict, "f"},
		{"body of a type", []Edit{goEdit(Body, "T", "x()")}, ErrMalformed, "not a function"},
		{"body of a bodiless function", []Edit{goEdit(Body, "bare", "x()")}, ErrMalformed, "drop it"},
		{"rename of a bodiless function", []Edit{goEdit(Rename, "bare", "b")}, ErrMalformed, "symbol"},
		{"rename of a type", []Edit{goEdit(Rename, "T", "U")}, ErrMalformed, "methods"},
		{"rename to no name", []Edit{goEdit(Rename, "f", "1x")}, ErrMalformed, `"1x"`},
		{"body that does not parse", []Edit{goEdit(Drop, "T", ""), goEdit(Body, "f", "if {")}, ErrMalformed, "f: cannot body"},
		{"import not used", []Edit{goEdit(Body, "f", "x()", "a/b")}, ErrMalformed, `"a/b"`},
		{"import by a name that is taken", []Edit{goEdit(Body, "f", "os.X()", "x/os")}, ErrConflict, "x/os"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := patchGo([]byte(src), c.edits)
			var e *EditError
			if !errors.As(err, &e) || !errors.Is(err, c.err) {
				t.Fatalf("err = %v, want an EditError that is %v", err, c.err)
			}
			if msg := err.Error(); !strings.Contains(msg, c.says) || !strings.HasPrefix(msg, "p/p.go: ") {
				t.Errorf("%q does not name the file or %q", msg, c.says)
			}
		})
	}
	t.Run("a file that does not parse", func(t *testing.T) {
		if _, err := patchGo([]byte("not Go"), []Edit{goEdit(Drop, "f", "")}); err == nil {
			t.Error("no error")
		}
	})
}
