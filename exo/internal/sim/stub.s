// nanotime has no body here; go:linkname names it.
