// Command connload opens connections to a server and holds them until the server says something on the first.
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "connload:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: connload HOST:PORT CONNECTIONS")
	}
	n, err := strconv.Atoi(os.Args[2])
	if err != nil || n < 1 {
		return fmt.Errorf("%q connections: want 1 or more", os.Args[2])
	}
	conns := make([]net.Conn, n)
	for i := range conns {
		if conns[i], err = net.DialTimeout("tcp", os.Args[1], time.Minute); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	conns[0].SetReadDeadline(time.Now().Add(2 * time.Minute))
	_, err = conns[0].Read(make([]byte, 1))
	return err
}
