// Image is booted by exo's image test: it uses exo where there is nothing beneath it but the machine.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio/rng"
)

func main() {
	fmt.Println("arm:", exo.Arm())
	for _, p := range exo.Discover().Problems {
		fmt.Println("problem:", p)
	}
	start := exo.Now()
	for range 20 {
		if err := rng.Feed(64); err != nil {
			fmt.Println("feed:", err)
			os.Exit(1)
		}
	}
	// Without interrupts each would wait for its deadline, a second.
	fmt.Println("fed in time:", exo.Now()-start < 10e9)
	takeBack()
	names()
	predicates()
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	<-c
	fmt.Println("pressed")
	os.Exit(7)
}
