//go:build hardtack

package initorder

import _ "unsafe" // for go:linkname

// A task is what package runtime knows of a package that is to be initialized.
type task struct{ _ uint64 }

// run initializes a package, unless it is; it may block. packageOf is its path. Package runtime's added files push them (exo_init.go).
func run(*task)
func packageOf(*task) string

// first is what package runtime calls with all tasks in the linker's order, when nothing but itself is initialized. A variable without a value there, it has this one because this package
// is linked: it needs nobody to set it.
//
//go:linkname first runtime.exoInitFirst
var first = inOrder

func inOrder(tasks []*task) {
	for _, t := range tasks {
		if isFirst(packageOf(t)) {
			run(t)
		}
	}
	for _, f := range after {
		f()
	}
}
