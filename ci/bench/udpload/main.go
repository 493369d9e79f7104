// Command udpload sends 64-byte datagrams to an echo server for three seconds, at most 32 of them unanswered, and tells how many came
// back a second.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

const (
	size     = 64
	inFlight = 32
	duration = 3 * time.Second
	patience = 200 * time.Millisecond // after that everything in flight counts as lost
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: udpload HOST:PORT")
		os.Exit(2)
	}
	echoes, lost, err := run(os.Args[1])
	if err == nil && echoes == 0 {
		err = errors.New("no echo came back")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "udpload:", err)
		os.Exit(1)
	}
	fmt.Printf("RESULT echoes %.1f /s\nRESULT lost %d datagrams\n", float64(echoes)/duration.Seconds(), lost)
}

func run(address string) (echoes, lost int, err error) {
	c, err := net.Dial("udp", address)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	out, in := make([]byte, size), make([]byte, 2*size)
	sent, waiting := uint64(0), 0
	for end := time.Now().Add(duration); time.Now().Before(end); {
		for ; waiting < inFlight; waiting++ {
			sent++
			binary.BigEndian.PutUint64(out, sent)
			if _, err := c.Write(out); err != nil {
				return 0, 0, err
			}
		}
		c.SetReadDeadline(time.Now().Add(patience))
		n, err := c.Read(in)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			lost += waiting
			waiting = 0
		case err != nil:
			return 0, 0, err
		case n != size:
			return 0, 0, fmt.Errorf("an echo of %d bytes, want %d", n, size)
		default:
			echoes++
			waiting = max(waiting-1, 0)
		}
	}
	return echoes, lost, nil
}
