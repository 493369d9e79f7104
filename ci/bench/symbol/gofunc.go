package symbol

import (
	"bytes"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"fmt"
	"io"
)

// pclntabHeader is how Go's function table begins on amd64 since Go 1.20: magic, two zeroes, instruction
// alignment 1, pointer size 8 (package internal/abi, PCLnTabMagic).
var pclntabHeader = []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}

// GoFunc returns the virtual address of the Go function name in an ELF file without symbols. The function
// table's offsets count from the start of the text; to know where that is, one function's address must be known:
// that of the function known is at.
func GoFunc(file, name, known string, at uint64) (uint64, error) {
	f, err := elf.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		data, err := io.ReadAll(p.Open())
		if err != nil {
			return 0, err
		}
		for i := bytes.Index(data, pclntabHeader); i >= 0; {
			if addr, ok := lookUp(data[i:], name, known, at); ok {
				return addr, nil
			}
			next := bytes.Index(data[i+1:], pclntabHeader)
			if next < 0 {
				break
			}
			i += 1 + next
		}
	}
	return 0, fmt.Errorf("%s has no Go function table that lists %s and %s", file, name, known)
}

// lookUp finds name in the function table at the start of data, which may turn out not to be one.
func lookUp(data []byte, name, known string, at uint64) (addr uint64, ok bool) {
	defer func() {
		if recover() != nil { // gosym trusts the table and indexes past the end of a false one
			addr, ok = 0, false
		}
	}()
	// Header, after the 8 bytes above: numbers of functions and files, and the text start that older releases
	// fill in. Entries count from it, so with a text start of 0 gosym's answers are offsets.
	const textStart = 8 + 2*8
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint64(data[textStart:], 0)
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, 0))
	if err != nil {
		return 0, false
	}
	fn, base := table.LookupFunc(name), table.LookupFunc(known)
	if fn == nil || base == nil {
		return 0, false
	}
	return at - base.Entry + fn.Entry, true
}

// LinuxGoFunc is GoFunc for a program linked for linux/amd64 as usual, which starts at a function of its own.
func LinuxGoFunc(file, name string) (uint64, error) {
	f, err := elf.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return GoFunc(file, name, "_rt0_amd64_linux", f.Entry)
}
