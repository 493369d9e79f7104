// Command udpecho echoes datagrams on port 7: in an image by libos/net itself, on Linux by package net.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := echo(func() { fmt.Println("ready") }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
