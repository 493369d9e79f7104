package sock

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"
)

func TestAddresses(t *testing.T) {
	var a Addr
	for _, s := range []string{"127.0.0.1:80", "0.0.0.0:0", "255.1.2.3:65535"} {
		ap := netip.MustParseAddrPort(s)
		a.SetInet4(ap)
		if got, e := a.Inet4(); got != ap || e != 0 || len(a.Raw()) != 16 {
			t.Errorf("%s came back as %v, %v", s, got, e)
		}
		if _, e := a.Inet6(); e != syscall.EINVAL {
			t.Errorf("%s is IPv6: %v", s, e)
		}
	}
	for _, s := range []string{"[::1]:80", "[fe80::1%3]:1", "[2001:db8::5]:65535", "[::]:0"} {
		ap := netip.MustParseAddrPort(s)
		a.SetInet6(ap)
		if got, e := a.Inet6(); got != ap || e != 0 || len(a.Raw()) != 28 {
			t.Errorf("%s came back as %v, %v", s, got, e)
		}
		if _, e := a.Inet4(); e != syscall.EAFNOSUPPORT {
			t.Errorf("%s is IPv4: %v", s, e)
		}
	}
	a.SetInet6(netip.MustParseAddrPort("10.0.0.1:5"))
	if got, _ := a.Inet6(); got.String() != "[::ffff:10.0.0.1]:5" {
		t.Errorf("a mapped address came back as %v", got)
	}
	for name, size := range map[string]int{"": 2, "\x00x": 4, "/run/s": 9, "\x00": 3} {
		a.SetUnix(name)
		if got, e := a.Unix(); got != name || e != 0 || len(a.Raw()) != size {
			t.Errorf("%q came back as %q, %v, %d bytes", name, got, e, len(a.Raw()))
		}
	}
	a.SetNetlink(7, 9)
	if port, groups, e := a.Netlink(); port != 7 || groups != 9 || e != 0 {
		t.Error(port, groups, e)
	}
}

// FuzzAddr: nothing that a program passes as an address does more than give an error.
func FuzzAddr(f *testing.F) {
	for _, family := range []uint16{syscall.AF_UNIX, syscall.AF_INET, syscall.AF_INET6, syscall.AF_NETLINK} {
		f.Add(binary.NativeEndian.AppendUint16(nil, family))
		f.Add(append(binary.NativeEndian.AppendUint16(nil, family), make([]byte, 26)...))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var a, b Addr
		if e := a.Set(p); e != 0 {
			if len(p) <= MaxAddr {
				t.Fatalf("%d bytes: %v", len(p), e)
			}
			return
		}
		if ap, e := a.Inet4(); e == 0 {
			if b.SetInet4(ap); string(b.Raw()[:8]) != string(p[:8]) {
				t.Fatalf("%x became %x", p, b.Raw())
			}
		}
		if ap, e := a.Inet6(); e == 0 {
			if b.SetInet6(ap); string(b.Raw()[8:24]) != string(p[8:24]) {
				t.Fatalf("%x became %x", p, b.Raw())
			}
		}
		if name, e := a.Unix(); e == 0 {
			b.SetUnix(name)
			if again, e := b.Unix(); again != name || e != 0 {
				t.Fatalf("%x: %q became %q", p, name, again)
			}
		}
		a.Netlink()
	})
}

// FuzzControl: control messages of any bytes give an error or whole messages.
func FuzzControl(f *testing.F) {
	f.Add(appendControl(nil, syscall.SOL_SOCKET, syscall.SCM_RIGHTS, []byte{0, 0, 0, 0}))
	f.Add(appendControl(appendControl(nil, 41, 50, make([]byte, 20)), syscall.SOL_SOCKET, syscall.SCM_CREDENTIALS, make([]byte, 12)))
	f.Fuzz(func(t *testing.T, p []byte) {
		var m Sending
		if m.parseControl(p) != 0 && m.Files != nil {
			t.Fatal("an error left references")
		}
		m.drop()
		r := Receiving{Control: m.Control}
		for room := range min(len(m.Control)+8, 100) {
			dst := make([]byte, room)
			c := r
			if n := c.deliver(dst); n > room {
				t.Fatalf("%d bytes were delivered into %d", n, room)
			}
		}
	})
}
