//go:build !hardtack

package image

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// The network, judged by the host's own stack and net/http, through QEMU's user-mode network, which has a TCP/IP and a DHCP server of its own (libslirp).

// A web is the guest web on a machine with a card, and what the host reaches it by.
type web struct {
	*boot
	url, udp string
	client   http.Client
}

func startWeb(t *testing.T, m machine) *web {
	t.Helper()
	return startWebOn(t, m, "virtio-net-device")
}

// startWebOn is startWeb with a card of the caller's choice, which is called nic.
func startWebOn(t *testing.T, m machine, card string) *web {
	t.Helper()
	return startWebWith(t, m, card, "")
}

// startWebWith is startWebOn with more options of QEMU's network.
func startWebWith(t *testing.T, m machine, card, options string) *web {
	t.Helper()
	tcp, udp := freePort(t, "tcp"), freePort(t, "udp")
	m.more = append(m.more, "-global", "virtio-mmio.force-legacy=false",
		"-netdev", fmt.Sprintf("user,id=net,hostfwd=tcp:%s-:8080,hostfwd=udp:%s-:7", tcp, udp)+options, "-device", card+",id=nic,netdev=net")
	w := &web{boot: start(t, "web", m), url: "http://" + tcp, udp: udp}
	w.client.Transport = &http.Transport{MaxIdleConnsPerHost: 100}
	w.ready(t)
	return w
}

// ready waits until the guest serves.
func (w *web) ready(t *testing.T) {
	t.Helper()
	w.client.Timeout = time.Minute
	t.Cleanup(w.client.CloseIdleConnections)
	for {
		switch s := w.line(t); {
		case s == "listening":
			return
		case strings.Contains(s, "no DHCP server has answered"): // in 3 s: the host is busy, and a later answer counts, too
			t.Log(s)
		default:
			t.Errorf("console: %s", s)
		}
	}
}

// given are the ports that freePort has given.
var given sync.Map

// freePort is an address of the host that nobody has now, of a port that Linux gives nobody who does not ask for it (ip_local_port_range begins at 32768).
func freePort(t *testing.T, network string) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprint("127.0.0.1:", 10000+rand.IntN(22000))
		if _, again := given.LoadOrStore(addr, true); again {
			continue
		}
		var c io.Closer
		var err error
		if network == "udp" {
			c, err = net.ListenPacket("udp", addr)
		} else {
			c, err = net.Listen("tcp", addr)
		}
		if err == nil {
			c.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

func (w *web) get(t *testing.T, path string) string {
	t.Helper()
	r, err := w.client.Get(w.url + path)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return ""
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("%s: after %d bytes: %v", path, len(b), err)
	}
	return string(b)
}

// end has the guest exit.
func (w *web) end(t *testing.T) {
	t.Helper()
	w.client.Get(w.url + "/exit")
	w.wait(t).want(t, 0)
}

// TestWeb: an unmodified net/http server in an image serves the host: many clients, large bodies both ways; as a client it reaches a server of the host.
func TestWeb(t *testing.T) {
	t.Parallel()
	for _, cpus := range []int{1, 4} {
		w := startWeb(t, machine{cpus: cpus})
		var all sync.WaitGroup
		for c := range 16 {
			all.Add(1)
			go func() {
				defer all.Done()
				for k := range 10 {
					name := fmt.Sprint(c, "-", k)
					if got := w.get(t, "/hello?name="+name); got != "hello from "+name {
						t.Errorf("%d CPUs: %q", cpus, got)
					}
				}
			}()
		}
		all.Wait()
		const much = 4 << 20
		if got := w.get(t, fmt.Sprint("/bytes?n=", much)); len(got) != much {
			t.Errorf("%d CPUs: %d of %d bytes came", cpus, len(got), much)
		}
		body := bytes.Repeat([]byte("0123456789abcdef"), much/16)
		r, err := w.client.Post(w.url+"/sum", "", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if want := fmt.Sprintf("%x <nil>", sha256.Sum256(body)); string(got) != want {
			t.Errorf("%d CPUs: what was sent arrived as %s, want %s", cpus, got, want)
		}
		host := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) { out.Write(body[:1<<20]) }))
		_, port, _ := net.SplitHostPort(host.Listener.Addr().String())
		if got := w.get(t, "/fetch?url=http://10.0.2.2:"+port); got != string(body[:1<<20]) {
			t.Errorf("%d CPUs: a server of the host: %d bytes came: %.100s", cpus, len(got), got)
		}
		host.Close()
		if got := w.get(t, "/dial?to=10.0.2.2:"+port); !strings.Contains(got, "connection refused") {
			t.Errorf("%d CPUs: a port where nobody listens: %s", cpus, got)
		}
		w.end(t)
	}
}

// TestUDPEcho: datagrams to the image and back, of sizes that are cut on the way too.
func TestUDPEcho(t *testing.T) {
	t.Parallel()
	w := startWeb(t, machine{})
	c, err := net.Dial("udp", w.udp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, n := range []int{1, 64, 1400, 1472, 3000, 9000} {
		want := bytes.Repeat([]byte{byte(n)}, n)
		c.Write(want)
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		got := make([]byte, 1<<16)
		k, err := c.Read(got)
		if err != nil || !bytes.Equal(got[:k], want) {
			t.Errorf("%d bytes: %d came back: %v", n, k, err)
		}
	}
	w.end(t)
}

// TestNetworkConfiguration: by DHCP, by the command line, and not at all.
func TestNetworkConfiguration(t *testing.T) {
	t.Parallel()
	for words, want := range map[string][]string{
		"": {"2 eth0 up|broadcast|multicast|running 1500 52:54:00:12:34:56 [10.0.2.15/24", "nameserver 10.0.2.3\n"},
		"ip=10.0.2.15/25,gw=10.0.2.2,dns=10.0.2.7,search=a.example": {"[10.0.2.15/25", "nameserver 10.0.2.7\nsearch a.example\n"},
	} {
		w := startWeb(t, machine{words: words})
		got := w.get(t, "/interfaces")
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("%q: no %q in\n%s", words, text, got)
			}
		}
		w.end(t)
	}
	// The DHCP server says what the machine is called.
	w := startWebWith(t, machine{}, "virtio-net-device", ",hostname=from-dhcp")
	if got := w.get(t, "/interfaces"); !strings.Contains(got, "called from-dhcp <nil>") {
		t.Errorf("the name of the DHCP server: %s", got)
	}
	w.end(t)
	// A machine with a card that nobody answers on, and one whose command line is wrong: the program starts, and a line says what is missing.
	for words, want := range map[string]string{"": "no DHCP server has answered on eth0 yet", "ip=nonsense": "libos/net: ip=nonsense: want dhcp, off, or an address"} {
		b := start(t, "web", machine{words: words, more: []string{"-global", "virtio-mmio.force-legacy=false", "-netdev", "hubport,hubid=0,id=net", "-device", "virtio-net-device,netdev=net"}})
		if got := b.line(t); !strings.Contains(got, want) {
			t.Errorf("%q: console: %s", words, got)
		}
		if got := b.line(t); got != "listening" {
			t.Errorf("%q: console: %s", words, got)
		}
		b.cmd.Process.Kill()
		b.release()
	}
}
