// Command ticker has nothing to do but to receive one tick a second.
package main

import (
	"fmt"
	"time"
)

func main() {
	t := time.NewTicker(time.Second)
	fmt.Println("RESULT ready 1 times")
	for range t.C {
	}
}
