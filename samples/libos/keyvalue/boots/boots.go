// Package boots knows how often the program was booted before. It finds out while it is initialized: the disk is mounted by then, though its filesystem is the program's own.
package boots

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
)

// File is where the number stands, as text.
const File = "/kv/boots"

// Before is the number; 0 where there is no file.
var Before = read()

func read() int {
	b, err := os.ReadFile(File)
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	n := 0
	if err == nil {
		n, err = strconv.Atoi(string(b))
	}
	if err != nil {
		panic(err)
	}
	return n
}
