// Command regions maps many small pieces of memory that cannot be joined, so that the list of them grows, and looks whether each kept what
// was written to it.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	const pieces = 2000
	var keep [pieces][]byte
	for i := range keep {
		prot := syscall.PROT_READ
		if i%2 == 0 {
			prot |= syscall.PROT_WRITE
		}
		b, err := syscall.Mmap(-1, 0, 4096, prot, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			fmt.Println("piece", i, err)
			os.Exit(1)
		}
		if i%2 == 0 {
			b[0], b[1] = byte(i), byte(i>>8)
		}
		keep[i] = b
	}
	for i, b := range keep {
		if i%2 == 0 && (b[0] != byte(i) || b[1] != byte(i>>8)) {
			fmt.Println("piece", i, "changed")
			os.Exit(1)
		}
		if err := syscall.Munmap(b); err != nil {
			fmt.Println("piece", i, err)
			os.Exit(1)
		}
	}
	fmt.Println("kept")
}
