// Package ntp sets the image's clock by a time server, and keeps it right: a client of the Network Time Protocol (RFC 5905, in the simple form of its
// section 14). mkimage links it for --ntp, which puts the servers' names on the command line:
//
//	ntp=ntp.example.com,192.0.2.1:1123
//
// The name dhcp stands for those that the DHCP server of the network has named (RFC 2132, 8.3).
// One server is asked at a time, the next when it does not answer. The wall clock is stepped; Go's monotonic clock, and all that waits, does not see it.
// A program does not wait for the first answer.
package ntp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/net/socket" // package net works when this one begins
	"github.com/hardtack-os/hardtack/libos/posix"
)

const port = "123"

func init() {
	if word, ok := exo.Setting("ntp"); ok {
		go run(newClient(strings.Split(word, ",")))
	}
}

// run keeps the clock right, for as long as there is a server that has not refused.
func run(c *client) {
	told := false
	for c.server() != "" {
		name := c.server()
		s, err := askAny(name)
		if err == nil {
			posix.StepClock(int64(c.answered(s)))
		} else {
			if c.failed(err); !c.synced && !told && (c.next == 0) {
				println("libos/net/ntp: the clock stays as the machine has set it: " + name + ": " + err.Error())
				told = true
			}
		}
		time.Sleep(c.wait)
	}
}

// fromLease is the name that stands for the lease's servers.
const fromLease = "dhcp"

// leased gives the lease's servers.
var leased = func() (names []string) {
	for _, a := range socket.TimeServers() {
		names = append(names, a.String())
	}
	return names
}

var errNoneLeased = errors.New("the network's DHCP server names no time server")

// askAny asks a server or, for the lease's, one after the other until one answers.
func askAny(name string) (s sample, err error) {
	if name != fromLease {
		return ask(name)
	}
	err = errNoneLeased
	for _, a := range leased() {
		if s, err = ask(a); err == nil {
			return s, nil
		}
	}
	return s, err
}

// ask asks one server, once. It waits for the name's lookup, and no longer than patience for the answer.
func ask(server string) (sample, error) {
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, port)
	}
	conn, err := net.DialTimeout("udp", server, patience)
	if err != nil {
		return sample{}, err
	}
	defer conn.Close()
	var cookie [8]byte
	rand.Read(cookie[:])
	question := binary.BigEndian.Uint64(cookie[:])
	var p [messageLen]byte
	request(&p, question)
	conn.SetDeadline(time.Now().Add(patience))
	sent := time.Now()
	if _, err := conn.Write(p[:]); err != nil {
		return sample{}, err
	}
	var in [1500]byte
	for {
		n, err := conn.Read(in[:])
		received := time.Now()
		if err != nil {
			return sample{}, err
		}
		s, err := answer(in[:n], question, sent, received)
		if !errors.Is(err, errForeign) {
			return s, err
		}
	}
}
