package runtime

import "internal/abi"

func abiFuncOOM() uintptr { return abi.FuncPCABI0(exoOOM) }

// exoThrowOOM is Go's own report for memory that was promised and is not there.
func exoThrowOOM() {
	throw("out of memory")
}
