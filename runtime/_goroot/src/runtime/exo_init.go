package runtime

import (
	"internal/abi"
	"unsafe"
)

// Which packages are initialized before all others. The linker orders them by imports and, where these say nothing, by path; so a package that is ready
// earlier than the libOS would find no files and no sockets. libos/initorder, where it is linked, says otherwise.

// exoInitFirst runs some of the tasks, each after those of what its package imports; nil where libos/initorder is not linked. The linker has its value from there:
// it must be set before any package is initialized.
//
//go:linkname exoInitFirst
var exoInitFirst func([]*initTask)

// exoDoInit runs the tasks of main's and all packages that it imports. A task that ran is not run again.
func exoDoInit(ts []*initTask) {
	if exoInitFirst != nil {
		exoInitFirst(ts)
	}
	doInit(ts)
}

// exoInitRun runs one task, unless it ran already.
//
//go:linkname exoInitRun github.com/hardtack-os/hardtack/libos/initorder.run
func exoInitRun(t *initTask) { doInit1(t) }

// exoInitPackage is the path of a task's package, as in the names of its functions: that of the first one that the task runs.
//
//go:linkname exoInitPackage github.com/hardtack-os/hardtack/libos/initorder.packageOf
func exoInitPackage(t *initTask) string {
	f := add(unsafe.Pointer(t), unsafe.Sizeof(*t)) // the functions lie behind the task
	return funcpkgpath(findfunc(abi.FuncPCABIInternal(*(*func())(unsafe.Pointer(&f)))))
}
