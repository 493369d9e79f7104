// Command frames is an echo over TCP, and over UDP, where one word is answered by the list of what the network has dropped. It knows nothing of Hardtack, but for the file that has them.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	if err := serve(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func serve() error {
	l, err := net.Listen("tcp", ":7")
	if err != nil {
		return err
	}
	u, err := net.ListenPacket("udp", ":7")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	fmt.Println("ready")
	b := make([]byte, 1<<16)
	for {
		n, from, err := u.ReadFrom(b)
		if err != nil {
			return err
		}
		answer := b[:n]
		switch string(answer) {
		case "counters":
			if answer, err = os.ReadFile("/proc/net/dump"); err != nil {
				return err
			}
		case "exit":
			return nil
		}
		u.WriteTo(answer, from)
	}
}
