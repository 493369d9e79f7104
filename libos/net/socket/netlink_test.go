package socket

import (
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestNetlinkDump reads a dump as package net does, with package syscall's own parser.
func TestNetlinkDump(t *testing.T) {
	was := interfaces
	defer func() { interfaces = was }()
	interfaces = func() (all []Interface) {
		for i := range 40 { // more than one answer
			all = append(all, Interface{Index: i + 1, Name: "eth", MTU: 1500 + i, Flags: syscall.IFF_UP, Address: []byte{2, 0, 0, 0, 0, byte(i)}, IPs: []InterfaceIP{
				{IP: []byte{10, 0, 0, byte(i)}, Bits: 24}, {IP: make([]byte, 16), Bits: 64}}})
		}
		return all
	}
	w := &world{kernel: posix.Call}
	fd, e := w.call(syscall.SYS_SOCKET, syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_ROUTE)
	must(t, "socket", 0, e)
	defer posix.Close(fd)
	for _, x := range []struct{ request, reply, want int }{{syscall.RTM_GETLINK, syscall.RTM_NEWLINK, 40}, {syscall.RTM_GETADDR, syscall.RTM_NEWADDR, 80}} {
		request := buffer(17)
		request[0], request[4], request[6], request[7], request[8] = 17, byte(x.request), 1, 3, 1
		_, e = w.call(syscall.SYS_SENDTO, fd, request, 17, 0, 0, 0)
		must(t, "sendto", 0, e)
		count := 0
	reading:
		for {
			b := buffer(4096)
			n, e := w.call(syscall.SYS_RECVFROM, fd, b, 4096, 0, 0, 0)
			must(t, "recvfrom", 0, e)
			msgs, err := syscall.ParseNetlinkMessage(b[:n])
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range msgs {
				if m.Header.Seq != 1 || m.Header.Pid == 0 {
					t.Fatalf("%+v", m.Header)
				}
				switch int(m.Header.Type) {
				case syscall.NLMSG_DONE:
					break reading
				case x.reply:
					attrs, err := syscall.ParseNetlinkRouteAttr(&m)
					if err != nil || len(attrs) < 1 {
						t.Fatal(attrs, err)
					}
					count++
				default:
					t.Fatalf("type %d", m.Header.Type)
				}
			}
		}
		if count != x.want {
			t.Errorf("%d messages of type %d, want %d", count, x.reply, x.want)
		}
	}
}
