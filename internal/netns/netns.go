//go:build linux

// Package netns gives tests a network of their own: a network namespace (network_namespaces(7)) without a name, which no packet leaves and which ends by itself with the last
// process, thread or socket in it. It takes the rights that unshare(2) asks for.
package netns

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A Namespace is a network namespace, and the thread that is in it.
type Namespace struct {
	calls chan call
}

type call struct {
	do   func() error
	done chan error
}

// New makes a namespace. In it is a loopback interface, which is up.
func New() (*Namespace, error) {
	n := &Namespace{calls: make(chan call)}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never lets go: the thread ends with the goroutine
		err := syscall.Unshare(syscall.CLONE_NEWNET)
		made <- err
		if err != nil {
			return
		}
		for c := range n.calls {
			c.done <- c.do()
		}
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("a network namespace cannot be made: %w: it takes root's rights", err)
	}
	if err := n.Run("ip", "link", "set", "lo", "up"); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// For makes one for a test, and ends it with that. Where that cannot be the test is skipped, with the reason; where CI says that everything has to be there it fails.
func For(t testing.TB) *Namespace {
	t.Helper()
	n, err := New()
	if err == nil {
		t.Cleanup(n.Close)
		return n
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
	return nil
}

// Do runs f in the namespace, one at a time: sockets that it opens and processes that it starts are there for good. f is to do so on the goroutine that it is called by.
func (n *Namespace) Do(f func() error) error {
	c := call{f, make(chan error, 1)}
	n.calls <- c
	return <-c.done
}

// Run runs a command there, to its end. Its error has what the command said.
func (n *Namespace) Run(name string, args ...string) error {
	_, err := n.Output(name, args...)
	return err
}

// Output is Run, and gives what the command said on its standard output.
func (n *Namespace) Output(name string, args ...string) (string, error) {
	var out, says strings.Builder
	err := n.Do(func() error {
		c := exec.Command(name, args...)
		c.Stdout, c.Stderr = &out, &says
		return c.Run()
	})
	if err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(says.String()))
	}
	return out.String(), nil
}

// Close ends the thread, and with it the namespace, unless something else is there.
func (n *Namespace) Close() { close(n.calls) }
