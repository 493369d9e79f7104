package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
)

// The addresses on the wire between the host's end and a guest.
const (
	hostAddress  = "10.77.0.1/24"
	guestAddress = "10.77.0.2/24"
	guestHost    = "10.77.0.2"
)

// A Wire is a network namespace with one end of a guest's network card in it. Nothing leads out of it.
type Wire struct{ qemu.Tap }

// NewWire makes a wire for a guest with so many queue pairs. It takes root's rights.
func NewWire(ctx context.Context, queues int) (*Wire, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("a network namespace takes root's rights; run the bench as root, or leave the row out")
	}
	for tool, pkg := range map[string]string{"ip": "iproute2", "wrk": "wrk", "curl": "curl"} {
		if err := install(ctx, tool, pkg); err != nil {
			return nil, err
		}
	}
	sweep(ctx)
	return newWire(ctx, queues)
}

// newWire is NewWire where the tools are there.
func newWire(ctx context.Context, queues int) (*Wire, error) {
	w := &Wire{qemu.Tap{Namespace: namespace + strconv.Itoa(os.Getpid()), Interface: "tap0", Queues: queues}}
	if _, err := command(ctx, ".", nil, "ip", "netns", "add", w.Namespace); err != nil {
		return nil, err
	}
	tap := []string{"ip", "tuntap", "add", w.Interface, "mode", "tap", "vnet_hdr"}
	if queues > 1 {
		tap = append(tap, "multi_queue")
	}
	for _, step := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		tap,
		{"ip", "address", "add", hostAddress, "dev", w.Interface},
		{"ip", "link", "set", w.Interface, "up"},
		// The kernel asks nobody for the guest's address: on a busy host a guest does not answer three times within three seconds, and a connection gets EHOSTUNREACH. A SYN is sent again for longer.
		{"ip", "neighbour", "replace", guestHost, "lladdr", qemu.CardAddress, "nud", "permanent", "dev", w.Interface},
	} {
		if _, err := w.Command(ctx, step...); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

// namespace begins the name of each namespace; what follows is the process that made it.
const namespace = "bench-"

// sweep removes what benches left behind that were killed.
func sweep(ctx context.Context) {
	made, _ := os.ReadDir("/run/netns") // there is no such folder before there is a namespace
	for _, e := range made {
		if left(e.Name(), alive) {
			command(ctx, ".", nil, "ip", "netns", "delete", e.Name()) // another bench may do so, too
		}
	}
}

// left says whether a namespace is a bench's that runs no more.
func left(name string, alive func(pid int) bool) bool {
	number, ours := strings.CutPrefix(name, namespace)
	pid, err := strconv.Atoi(number)
	return ours && err == nil && pid > 0 && !alive(pid)
}

// alive looks where Linux, which alone has namespaces, has a folder for each process.
func alive(pid int) bool {
	_, err := os.Stat("/proc/" + strconv.Itoa(pid))
	return err == nil
}

// Command runs a program in the namespace and returns its standard output.
func (w *Wire) Command(ctx context.Context, args ...string) (string, error) {
	return command(ctx, ".", nil, "ip", append([]string{"netns", "exec", w.Namespace}, args...)...)
}

// Close removes the namespace and what is in it.
func (w *Wire) Close() {
	if _, err := command(context.Background(), ".", nil, "ip", "netns", "delete", w.Namespace); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", strings.TrimSpace(err.Error()))
	}
}
