package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"
)

// timeServer answers NTP's questions as if it were the year 2040, a server whose clock nobody else has. RFC 5905 is told from its own words here, not from
// libos/net/ntp.
func timeServer(t *testing.T) (port int) {
	s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ahead := time.Until(time.Date(2040, 6, 1, 0, 0, 0, 0, time.UTC))
	go func() {
		var p [512]byte
		for {
			n, from, err := s.ReadFromUDP(p[:])
			if err != nil {
				return
			}
			if n < 48 || p[0] != 0x23 {
				continue
			}
			now := time.Now().Add(ahead)
			stamp := uint64(now.Unix()+2_208_988_800) << 32 // its upper half wraps: era 1
			a := make([]byte, 48)
			a[0], a[1] = 0x24, 1
			copy(a[24:32], p[40:48])
			binary.BigEndian.PutUint64(a[32:], stamp)
			binary.BigEndian.PutUint64(a[40:], stamp)
			s.WriteToUDP(a, from)
		}
	}()
	return s.LocalAddr().(*net.UDPAddr).Port
}

// TestTimeServer: the clock is the server's, durations are none the wiser, and a program may set the clock itself.
func TestTimeServer(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt syscall time", `
	start := time.Now()
	for time.Now().Year() != 2040 && time.Since(start) < 30*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("year", time.Now().Year(), "after less than a minute:", time.Since(start) < time.Minute)
	tv := syscall.NsecToTimeval(time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	fmt.Println(syscall.Settimeofday(&tv), time.Now().Year())`))
	var c call
	c.mkimage(t, "run", "--ntp", fmt.Sprintf("10.0.2.2:%d", timeServer(t)), dir)
	c.want(t, 0, "year 2040 after less than a minute: true\n<nil> 2033\n")

	c.mkimage(t, "run", "--ntp", "a b", dir)
	c.want(t, 1, "time server", "want a name or an address")
	c.mkimage(t, "run", "--ntp", "time.test", "--sockets", "off", dir)
	c.want(t, 1, "--ntp wants sockets")
}
