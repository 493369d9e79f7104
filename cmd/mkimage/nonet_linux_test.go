package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// TestNoNameServer: where nobody has named a server of names, without a card and with one that has an address only, lookups and dials by name fail as on a Linux whose
// /etc/resolv.conf is not there, and the names of /etc/hosts are found.
func TestNoNameServer(t *testing.T) {
	t.Parallel()
	dir := app(t, program("context fmt net time", `
	ctx, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	r := new(net.Resolver)
	for _, name := range []string{"www.example.org", "localhost", "two words"} {
		addrs, err := r.LookupHost(ctx, name)
		fmt.Println(name, addrs, err)
	}
	_, err := r.LookupMX(ctx, "example.org")
	fmt.Println(err)
	_, err = r.LookupAddr(ctx, "192.0.2.1")
	fmt.Println(err)
	for _, to := range []string{"www.example.org:80", "192.0.2.1:80"} {
		_, err = new(net.Dialer).DialContext(ctx, "tcp", to)
		fmt.Println(err)
	}`))
	root := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(root, "program"), ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/hosts"), []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`:[0-9]+->`)
	said := func(out string) string {
		var b strings.Builder
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, "libos/net:") {
				b.WriteString(port.ReplaceAllString(line, ":PORT->"))
			}
		}
		return b.String()
	}
	linux, err := netns.For(t).Output("chroot", root, "/program")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--net", "none"}, {"--ip", "10.0.2.15/24,slaac=off"}} {
		var c call
		c.mkimage(t, append(append([]string{"run"}, args...), dir)...)
		c.want(t, 0)
		if got, want := said(c.stdout), said(linux); got != want {
			t.Errorf("%v: the image says\n%sLinux\n%s", args, got, want)
		}
	}
}
