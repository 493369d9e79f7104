// Package netstat shows a running image's network to who asks at a port of TCP: connections, listeners, what was dropped and why; and at /goroutines all goroutines, each that waits
// for the network with what it waits for. mkimage links it for --netstat PORT, which becomes a word of the command line:
//
//	netstat=7070
//
// The answer is text, by HTTP/1.0 (RFC 1945): curl and a browser show it. Whoever reaches the port sees it, so it is there only if it is asked for.
//
// The port is the stack's own (package inet), not package net's: it answers while the program is stuck, and neither uses a descriptor of the program's nor is in its way.
package netstat

import (
	"bufio"
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	inet "github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/socket"
)

func init() {
	if word, ok := exo.Setting("netstat"); ok {
		go func() {
			if err := listen(socket.Stack(), word); err != nil {
				println("libos/net/netstat: port " + word + ": " + err.Error())
			}
		}()
	}
}

// listen opens the port on all addresses and serves for good.
func listen(s *inet.Stack, word string) error {
	n, err := strconv.ParseUint(word, 10, 16)
	if err != nil {
		return err
	}
	p, err := s.ListenTCP(netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(n)), 4)
	if err != nil {
		return err
	}
	busy := make(chan struct{}, most)
	for {
		busy <- struct{}{}
		c, err := p.Accept()
		if err != nil {
			return err
		}
		go func() {
			answer(c)
			<-busy
		}()
	}
}

// most is how many requests are served at a time; more wait.
const most = 4

// patience is how long a request may take, and its answer.
const patience = 10 * time.Second

// answer reads a request, of which the first line counts, and answers it.
func answer(c *inet.Stream) {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(patience))
	c.SetWriteDeadline(time.Now().Add(patience))
	line, err := requestLine(bufio.NewReaderSize(c, 512))
	if err != nil {
		return
	}
	b := bytes.NewBufferString("HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")
	fields := strings.Fields(line)
	switch {
	case len(fields) > 1 && fields[1] == "/goroutines":
		b.Write(socket.Goroutines())
	case len(fields) > 1 && fields[1] == "/":
		socket.Dump(b)
	default:
		b.Reset()
		b.WriteString("HTTP/1.0 404 Not Found\r\n\r\n/ shows the network, /goroutines who waits for it\n")
	}
	c.Write(b.Bytes())
}

// requestLine reads a request's head, of any length, up to the empty line that ends it, and gives the first line, or what of it r's buffer holds.
func requestLine(r *bufio.Reader) (string, error) {
	b, more, err := r.ReadLine()
	first := string(b)
	for err == nil {
		begins := !more
		if b, more, err = r.ReadLine(); begins && !more && len(b) == 0 {
			break
		}
	}
	return first, err
}
