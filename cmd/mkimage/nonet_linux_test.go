package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/internal/netns"
)

// TestNoCard: on a machine without a network card a program gets the errors that it gets on Linux with the loopback interface only, and one line says what is missing.
func TestNoCard(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt net time", `
	for _, to := range []string{"tcp 192.0.2.1:80", "udp 192.0.2.1:80", "tcp [2001:db8::1]:80", "udp [2001:db8::1]:80", "tcp 127.0.0.1:9"} {
		_, err := net.DialTimeout(to[:3], to[4:], 20*time.Second)
		fmt.Println(to, err)
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err == nil {
		_, err = c.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80})
	}
	fmt.Println(err != nil)`))
	elf := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", elf, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	linux, err := netns.For(t).Output(elf)
	if err != nil {
		t.Fatal(err)
	}
	var c call
	c.mkimage(t, "run", "--net", "none", dir)
	c.want(t, 0, "libos/net: the machine has no network card")
	var said []string
	for line := range strings.Lines(c.stdout) {
		if !strings.HasPrefix(line, "libos/net: the machine has no network card") {
			said = append(said, line)
		}
	}
	if got := strings.Join(said, ""); got != linux || strings.Count(c.stdout, "libos/net:") != 1 {
		t.Errorf("the image says\n%sLinux\n%s", c.stdout, linux)
	}
}
