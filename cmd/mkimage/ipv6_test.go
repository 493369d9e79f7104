package main

import (
	"fmt"
	"io"
	"net"
	"testing"
)

// sixServers answers on the host's ::1 over TCP and UDP: what comes, in capitals.
func sixServers(t *testing.T) (port int) {
	t.Helper()
	var l net.Listener
	var u *net.UDPConn
	var err error
	for range 100 { // the port that TCP has may be somebody's over UDP
		if l, err = net.Listen("tcp6", "[::1]:0"); err != nil {
			t.Fatal(err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		if u, err = net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback, Port: port}); err == nil {
			break
		}
		l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	t.Cleanup(func() { u.Close() })
	go func() {
		b := make([]byte, 65536)
		for {
			n, from, err := u.ReadFromUDP(b)
			if err != nil {
				return
			}
			u.WriteToUDP(b[:n], from)
		}
	}()
	return port
}

// TestIPv6: an image has an address of a router's prefix, or the one that it is told, and reaches the host over TCP and UDP. QEMU's
// user network (libslirp) is the router; it takes no fragments of IPv6.
func TestIPv6(t *testing.T) {
	t.Parallel()
	port := sixServers(t)
	dir := app(t, program("bytes fmt io net os strings time", `
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	var have string
	for start := time.Now(); have == "" && time.Since(start) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		all, err := net.InterfaceAddrs()
		check(err)
		for _, a := range all {
			if s := a.String(); strings.HasPrefix(s, "fec0:") {
				have = s
			}
		}
	}
	fmt.Println("address", have)
	to := "[fec0::2]:" + os.Args[1]
	c, err := net.Dial("tcp", to)
	check(err)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() { c.Write(body); c.(*net.TCPConn).CloseWrite() }()
	got, err := io.ReadAll(c)
	check(err)
	fmt.Println("tcp", bytes.Equal(got, body))
	u, err := net.Dial("udp", to)
	check(err)
	for _, n := range []int{1, 1200, 1452} {
		ok := false
		for try := 0; try < 10 && !ok; try++ {
			u.SetDeadline(time.Now().Add(3 * time.Second))
			u.Write(body[:n])
			b := make([]byte, 20000)
			k, err := u.Read(b)
			ok = err == nil && bytes.Equal(b[:k], body[:n])
		}
		fmt.Println("udp", n, ok)
	}
	_, err = net.DialTimeout("tcp", "[2001:db8::1]:9", 2*time.Second)
	fmt.Println("elsewhere", err != nil)`))
	want := []string{"tcp true", "udp 1 true", "udp 1200 true", "udp 1452 true", "elsewhere true"}
	for _, x := range []struct {
		args []string
		addr string
	}{
		{nil, "address fec0::5054:ff:fe12:3456/64"},
		{[]string{"--ip", "fec0::77/64,gw=fec0::2", "--machine", "q35"}, "address fec0::77/64"},
	} {
		var c call
		c.mkimage(t, append(append([]string{"run"}, x.args...), dir, "--", fmt.Sprint(port))...)
		c.want(t, 0, append([]string{x.addr}, want...)...)
	}
}
