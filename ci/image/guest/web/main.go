// Command web is a server and a client of net/http and an echo over UDP. It knows nothing of Hardtack.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"
)

func main() {
	echo, err := net.ListenPacket("udp", ":7")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := echo.ReadFrom(b)
			if err != nil {
				return
			}
			echo.WriteTo(b[:n], from)
		}
	}()
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s", r.URL.Query().Get("name"))
	})
	http.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		for p := pattern(0, 1<<16); n > 0; n -= len(p) {
			p = p[:min(n, len(p))]
			if _, err := w.Write(p); err != nil {
				return
			}
		}
	})
	http.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		_, err := io.Copy(h, r.Body)
		fmt.Fprintf(w, "%x %v", h.Sum(nil), err)
	})
	http.HandleFunc("/fetch", func(w http.ResponseWriter, r *http.Request) {
		got, err := http.Get(r.URL.Query().Get("url"))
		if err != nil {
			fmt.Fprint(w, err)
			return
		}
		defer got.Body.Close()
		io.Copy(w, got.Body)
	})
	http.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) {
		_, err := net.Dial("tcp", r.URL.Query().Get("to"))
		fmt.Fprint(w, err)
	})
	http.HandleFunc("/interfaces", func(w http.ResponseWriter, r *http.Request) {
		list, err := net.Interfaces()
		for _, i := range list {
			addrs, err := i.Addrs()
			fmt.Fprintln(w, i.Index, i.Name, i.Flags, i.MTU, i.HardwareAddr, addrs, err)
		}
		name, err3 := os.Hostname()
		fmt.Fprintln(w, "called", name, err3)
		b, err2 := os.ReadFile("/etc/resolv.conf")
		fmt.Fprintf(w, "%s %v %v", b, err, err2)
	})
	http.HandleFunc("/left", func(w http.ResponseWriter, _ *http.Request) {
		b, err := os.ReadFile("/proc/net/dump")
		fmt.Fprintf(w, "goroutines=%d %v\n%s", runtime.NumGoroutine(), err, b)
	})
	http.HandleFunc("/watch", func(_ http.ResponseWriter, r *http.Request) { go watch(r.URL.Query().Get("interface")) })
	http.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(0) })
	l, err := net.Listen("tcp", ":8080")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("listening")
	fmt.Println(http.Serve(l, nil))
}

// watch prints an interface's flags whenever they change.
func watch(name string) {
	for last := net.Flags(0); ; time.Sleep(50 * time.Millisecond) {
		i, err := net.InterfaceByName(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		if i.Flags != last {
			last = i.Flags
			fmt.Printf("%s %v.\n", name, last)
		}
	}
}

// pattern is n bytes that tell where they are.
func pattern(at, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte((at + i) * 7 >> 3)
	}
	return p
}
