package main

import "testing"

// TestNameServersFirst: a program whose first act is to look up a name, as a package variable is made even, asks the server of the network, which is configured beside its start.
func TestNameServersFirst(t *testing.T) {
	t.Parallel()
	dir := app(t, `package main

import (
	"context"
	"errors"
	"fmt"
	"net"
)

var first = ask()

func ask() (servers []string) {
	r := &net.Resolver{PreferGo: true, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		servers = append(servers, address)
		return nil, errors.New("this is as far as it goes")
	}}
	r.LookupHost(context.Background(), "www.example.org")
	return servers
}

func main() { fmt.Println("asked", first) }
`)
	var c call
	c.mkimage(t, "run", dir)
	c.want(t, 0, "asked [10.0.2.3:53 ")
	c.mkimage(t, "run", "--net", "none", dir)
	c.want(t, 0, "asked [127.0.0.1:53 ")
}
