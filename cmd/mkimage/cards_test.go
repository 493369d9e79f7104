package main

import (
	"fmt"
	"net"
	"testing"
)

// TestCards: each card of a machine is configured by itself, and the routes choose the one that leads to a destination. QEMU has a user network behind each.
func TestCards(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
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
			fmt.Fprintln(c, "welcome")
			c.Close()
		}
	}()
	dir := app(t, program("fmt net os bufio strings time", `
	for range 30 { // a busy host's machine may not have its addresses when the program starts
		addrs, _ := net.InterfaceAddrs()
		four := 0
		for _, a := range addrs {
			if a.(*net.IPNet).IP.To4() != nil {
				four++
			}
		}
		if four == 3 {
			break
		}
		time.Sleep(time.Second)
	}
	name, err := os.Hostname()
	hosts, _ := os.ReadFile("/etc/hosts")
	etc, _ := os.ReadFile("/etc/hostname")
	fmt.Println("called", name, err, strings.Contains(string(hosts), "127.0.1.1\t"+name+"\n"), string(etc) == name+"\n")
	list, err := net.Interfaces()
	for _, i := range list {
		addrs, err := i.Addrs()
		for _, a := range addrs {
			if a.(*net.IPNet).IP.To4() != nil {
				fmt.Println(i.Name, a, err)
			}
		}
	}
	conf, err := os.ReadFile("/etc/resolv.conf")
	fmt.Printf("%q %v\n", conf, err)
	for _, way := range os.Args[1:] {
		to, from, _ := strings.Cut(way, "/")
		var d net.Dialer
		if from != "" {
			d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
		}
		c, err := d.Dial("tcp", to)
		if err != nil {
			fmt.Println(err)
			continue
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		fmt.Println(c.LocalAddr().(*net.TCPAddr).IP, "to", to, strings.TrimSpace(line), err)
		c.Close()
	}`))
	_, port, _ := net.SplitHostPort(l.Addr().String())
	var c call
	c.mkimage(t, "run", "--net", "user", "--net", "user", "--hostname", "web-1", dir, "--", "10.0.2.2:"+port, "10.0.3.2:"+port, "10.0.2.2:"+port+"/10.0.2.15", "10.0.3.2:"+port+"/10.0.3.15")
	c.want(t, 0, "called web-1 <nil> true true\n", "eth0 10.0.2.15/24 <nil>\neth1 10.0.3.15/24 <nil>\n", `"nameserver 10.0.2.3\nnameserver 10.0.3.3\n`,
		"10.0.2.15 to 10.0.2.2:"+port+" welcome <nil>\n10.0.3.15 to 10.0.3.2:"+port+" welcome <nil>\n10.0.2.15 to 10.0.2.2:"+port+" welcome <nil>\n10.0.3.15 to 10.0.3.2:"+port+" welcome <nil>\n")

	c.mkimage(t, "run", "--machine", "q35", "--net", "user", "--net", "user", "--net", "user", "--ip", "10.0.2.77/24", "--ip", "eth1=10.0.3.78/24,dns=10.0.3.3,probe=off", "--ip", "eth2=off",
		dir, "--", "10.0.2.2:"+port, "10.0.3.2:"+port, "10.0.4.2:"+port)
	c.want(t, 0, "called hardtack <nil> true true\n", "eth0 10.0.2.77/24 <nil>\neth1 10.0.3.78/24 <nil>\n\"nameserver 10.0.3.3\\n\" <nil>\n", "10.0.2.77 to 10.0.2.2:"+port+" welcome <nil>\n10.0.3.78 to 10.0.3.2:"+port+" welcome <nil>\ndial tcp 10.0.4.2:"+port+": connect: network is unreachable\n")
}
