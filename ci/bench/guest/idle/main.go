// Command idle has nothing to do and no timer to wait for: it waits for a signal that nobody sends.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("RESULT ready 1 times")
	<-c
}
