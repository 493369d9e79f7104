// Command hello is the smallest useful image: it says who it is and stops.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Printf("hello from %s on %d CPU(s)\n", runtime.Version(), runtime.NumCPU())
	if len(os.Args) > 1 {
		fmt.Println("arguments:", os.Args[1:])
	}
}
