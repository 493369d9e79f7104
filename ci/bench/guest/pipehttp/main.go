// Command pipehttp serves HTTP to itself over an in-process pipe, so that net/http is exercised on a machine without
// a network.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

const requests = 200

// page is as long as the page that web servers are usually compared with.
var page = strings.Repeat("0123456789ab", 51)

// A pipe is a listener whose connections are the far ends of net.Pipe.
type pipe chan net.Conn

func (p pipe) Accept() (net.Conn, error) { return <-p, nil }
func (p pipe) Close() error              { return nil }
func (p pipe) Addr() net.Addr            { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p pipe) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p <- far
	return near, nil
}

func main() {
	p := make(pipe)
	go http.Serve(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, page)
	}))
	client := http.Client{Transport: &http.Transport{DialContext: p.dial}}
	for i := range requests {
		if err := fetch(&client); err != nil {
			fmt.Fprintf(os.Stderr, "request %d: %v\n", i, err)
			os.Exit(1)
		}
	}
	fmt.Printf("RESULT served %d requests\n", requests)
}

func fetch(client *http.Client) error {
	r, err := client.Get("http://pipe/")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && string(body) != page {
		err = fmt.Errorf("got %d bytes that are not the page", len(body))
	}
	return err
}
