package image

import "unsafe"

// readOnly is a string's bytes, which nobody may write to.
func readOnly(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
