package socket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/posix/memfile"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// The network as programs read it that know Linux: /proc/net (proc(5)), /sys/class/net (Linux's sysfs-class-net). What the stack does not count is not told, or 0 where a
// column has to have something.

func init() {
	for name, contents := range map[string]func() []byte{
		"dev": procDev, "if_inet6": procAddresses6, "route": procRoutes, "snmp": procSNMP, "netstat": procNetstat, "unix": procUnix,
		"sockstat": func() []byte { return procSockstat(false) }, "sockstat6": func() []byte { return procSockstat(true) },
		"tcp": func() []byte { return procPorts(true, false) }, "tcp6": func() []byte { return procPorts(true, true) },
		"udp": func() []byte { return procPorts(false, false) }, "udp6": func() []byte { return procPorts(false, true) },
	} {
		memfile.Provide("/proc/net/"+name, memfile.File{Contents: contents})
	}
	memfile.ProvideFolder("/sys/class/net", memfile.Folder{List: sysInterfaces})
}

// traffic is what an interface has received and sent, by number.
func traffic(index int) (received, sent inet.Traffic) {
	s := stack()
	for _, i := range s.Host().Interfaces() {
		if i.Index == index {
			return s.Traffic(i)
		}
	}
	return received, sent
}

// procDev is /proc/net/dev.
func procDev() []byte {
	b := bytes.NewBufferString("Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n")
	for _, i := range all() {
		in, out := traffic(i.Index)
		fmt.Fprintf(b, "%6s: %7d %7d %4d %4d %4d %5d %10d %9d %8d %7d %4d %4d %4d %5d %7d %10d\n", i.Name, in.Bytes, in.Frames, 0, in.Dropped, 0, 0, 0, 0, out.Bytes, out.Frames, 0, out.Dropped, 0, 0, 0, 0)
	}
	return b.Bytes()
}

// sysInterfaces are the files in /sys/class/net.
func sysInterfaces() (list []memfile.Named) {
	for _, i := range all() {
		add := func(name, text string) {
			list = append(list, memfile.Named{Name: i.Name + "/" + name, File: memfile.File{Contents: func() []byte { return []byte(text + "\n") }}})
		}
		state, carrier, broadcast := "down", "0", "ff:ff:ff:ff:ff:ff"
		if i.Flags&syscall.IFF_RUNNING != 0 {
			state, carrier = "up", "1"
		}
		if i.Flags&syscall.IFF_LOOPBACK != 0 {
			state, broadcast = "unknown", "00:00:00:00:00:00"
		}
		index := strconv.Itoa(i.Index)
		add("address", hexColons(i.Address))
		add("addr_len", strconv.Itoa(len(i.Address)))
		add("broadcast", broadcast)
		add("carrier", carrier)
		add("flags", "0x"+strconv.FormatUint(uint64(i.Flags&^syscall.IFF_RUNNING), 16)) // as Linux: whether it runs is in carrier
		add("ifindex", index)
		add("iflink", index)
		add("mtu", strconv.Itoa(i.MTU))
		add("operstate", state)
		add("type", strconv.Itoa(int(i.Type)))
		add("uevent", "INTERFACE="+i.Name+"\nIFINDEX="+index)
		for name, of := range map[string]func(in, out inet.Traffic) uint64{
			"rx_bytes":   func(in, _ inet.Traffic) uint64 { return in.Bytes },
			"rx_packets": func(in, _ inet.Traffic) uint64 { return in.Frames },
			"rx_dropped": func(in, _ inet.Traffic) uint64 { return in.Dropped },
			"tx_bytes":   func(_, out inet.Traffic) uint64 { return out.Bytes },
			"tx_packets": func(_, out inet.Traffic) uint64 { return out.Frames },
			"tx_dropped": func(_, out inet.Traffic) uint64 { return out.Dropped },
			"rx_errors":  func(_, _ inet.Traffic) uint64 { return 0 },
			"tx_errors":  func(_, _ inet.Traffic) uint64 { return 0 },
		} {
			list = append(list, memfile.Named{Name: i.Name + "/statistics/" + name, File: memfile.File{Contents: func() []byte {
				return append(strconv.AppendUint(nil, of(traffic(i.Index)), 10), '\n')
			}}})
		}
	}
	return list
}

func hexColons(mac []byte) string {
	var parts []string
	for _, x := range mac {
		parts = append(parts, fmt.Sprintf("%02x", x))
	}
	return strings.Join(parts, ":")
}

// hexAddr writes an address as /proc/net/tcp does: words of 32 bits as this machine would say them as numbers.
func hexAddr(a netip.AddrPort, six bool) string {
	raw := a.Addr().AsSlice()
	if six {
		b := a.Addr().As16()
		raw = b[:]
		if a.Addr().Is4() && a.Addr().IsUnspecified() {
			raw = make([]byte, 16)
		}
	}
	text := ""
	for ; len(raw) > 0; raw = raw[4:] {
		text += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(raw))
	}
	return text + fmt.Sprintf(":%04X", a.Port())
}

// Linux's numbers of states beside linuxStates, of which UDP uses two.
const (
	linuxEstablished = 1
	linuxClose       = 7
	linuxListen      = 10
)

// procPorts is /proc/net/tcp, tcp6, udp or udp6. What belongs to a socket is in the file of its family, the rest in that of its addresses. Timers are not told.
func procPorts(stream, six bool) []byte {
	const tcpWidth, udpWidth = 149, 127 // of lines, where they are not longer
	inodes, families := map[any]uint64{}, map[any]int{}
	sock.All(func(o sock.Open) { inodes[o.Socket], families[o.Socket] = o.Ino, o.Domain })
	columns := "  sl  local_address rem_address   "
	if six {
		columns = "  sl  local_address                         remote_address                        "
	}
	columns += "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	width := tcpWidth
	if !stream {
		width = udpWidth
		columns += " ref pointer drops"
		if !six {
			columns = " " + columns
		}
	}
	var b bytes.Buffer
	line := func(s string) {
		if !six {
			s += strings.Repeat(" ", max(0, width-len(s)))
		}
		b.WriteString(s + "\n")
	}
	line(columns)
	n := 0
	listens6 := map[uint16]bool{} // what nobody has accepted yet is of its listener's family, and listeners come first
	stack().Ports(func(p *inet.PortUse) {
		is6 := p.Local.Addr().Is6() || listens6[p.Local.Port()] && p.Hook == nil
		if family, ok := families[p.Hook]; ok {
			is6 = family == syscall.AF_INET6
			if p.Listening && is6 && p.Local.Addr().IsUnspecified() {
				listens6[p.Local.Port()] = true
			}
		}
		if p.TCP != stream || is6 != six {
			return
		}
		remote := p.Remote
		if !remote.IsValid() {
			remote = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		}
		state, sending, receiving := int(linuxStates[p.State]), p.SendQueue, p.RecvQueue
		switch {
		case p.Listening:
			state, sending = linuxListen, 0
		case !p.TCP && p.Remote.IsValid():
			state = linuxEstablished
		case !p.TCP:
			state = linuxClose
		}
		format := "%4d: %s %s %02X %08X:%08X %02X:%08X %08X %5d %8d %d %d %016x"
		if !stream {
			format = "%5d: %s %s %02X %08X:%08X %02X:%08X %08X %5d %8d %d %d %016x"
		}
		text := fmt.Sprintf(format, n, hexAddr(p.Local, six), hexAddr(remote, six), state, sending, receiving, 0, 0, p.Info.Backoff, 0, 0, inodes[p.Hook], 1, 0)
		switch {
		case !stream:
			text += fmt.Sprintf(" %d", p.Dropped)
		case p.State != tcp.TimeWait:
			text += procWindows(p)
		}
		line(text)
		n++
	})
	return b.Bytes()
}

// procWindows are the last columns of a connection: retransmission timeout in hundredths of a second, delayed acknowledgment, congestion window and slow start threshold in segments.
func procWindows(p *inet.PortUse) string {
	if p.Listening {
		return fmt.Sprintf(" 100 0 0 10 %d", 0)
	}
	mss := max(p.Info.MSS, 1)
	threshold := -1
	if t := p.Info.Threshold; t > 0 && t < 1<<30 {
		threshold = t / mss
	}
	return fmt.Sprintf(" %d 0 0 %d %d", p.Info.RTO/(10*time.Millisecond), p.Info.Window/mss, threshold)
}

// procUnix is /proc/net/unix: the sockets that have a descriptor.
func procUnix() []byte {
	const unconnected, connected, accepts = 1, 3, 1 << 16
	b := bytes.NewBufferString("Num       RefCount Protocol Flags    Type St Inode Path\n")
	sock.All(func(o sock.Open) {
		u, ok := o.Socket.(*unix)
		if !ok {
			return
		}
		state, flags := unconnected, 0
		u.mu.Lock()
		if u.listening {
			flags = accepts
		}
		if u.peer != nil {
			state = connected
		}
		u.mu.Unlock()
		fmt.Fprintf(b, "%016x: %08X %08X %08X %04X %02X %5d", 0, 2, 0, flags, u.kind, state, o.Ino)
		if name := u.name(); name != "" {
			b.WriteByte(' ')
			if name[0] == 0 {
				name = strings.ReplaceAll(name, "\x00", "@")
			}
			b.WriteString(name)
		}
		b.WriteByte('\n')
	})
	return b.Bytes()
}

// procRoutes is /proc/net/route: of IPv4, the prefixes on links among them.
func procRoutes() []byte {
	const width, up, gateway, host = 127, 1, 2, 4
	var b bytes.Buffer
	line := func(s string) { b.WriteString(s + strings.Repeat(" ", max(0, width-len(s))) + "\n") }
	line("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT")
	word := func(a netip.Addr) uint32 {
		raw := a.As4()
		return binary.NativeEndian.Uint32(raw[:])
	}
	add := func(r ip.Route) {
		if !r.Prefix.Addr().Is4() {
			return
		}
		flags, by := up, uint32(0)
		if r.Gateway.IsValid() {
			flags |= gateway
			by = word(r.Gateway)
		}
		if r.Prefix.Bits() == 32 {
			flags |= host
		}
		var mask [4]byte
		binary.BigEndian.PutUint32(mask[:], ^uint32(0)<<(32-r.Prefix.Bits()))
		line(fmt.Sprintf("%s\t%08X\t%08X\t%04X\t%d\t%d\t%d\t%08X\t%d\t%d\t%d", r.Interface.Info.Name, word(r.Prefix.Addr()), by, flags, 0, 0, r.Metric, binary.NativeEndian.Uint32(mask[:]), 0, 0, 0))
	}
	h := stack().Host()
	for _, r := range h.Routes() {
		add(r)
	}
	for _, i := range h.Interfaces() {
		for _, p := range i.Addresses() {
			if !i.Loopback {
				add(ip.Route{Prefix: p.Masked(), Interface: i})
			}
		}
	}
	return b.Bytes()
}

// procAddresses6 is /proc/net/if_inet6: address, number of the interface, prefix, scope, flags, name.
func procAddresses6() []byte {
	scopes := map[uint8]int{hostScope: 0x10, linkScope: 0x20, universeScope: 0}
	var b bytes.Buffer
	for _, i := range all() {
		for _, a := range i.IPs {
			if len(a.IP) == 16 {
				fmt.Fprintf(&b, "%x %02x %02x %02x %02x %8s\n", a.IP, i.Index, a.Bits, scopes[a.Scope], a.Flags, i.Name)
			}
		}
	}
	return b.Bytes()
}

// A value is a column of snmp and netstat: who reads them goes by the names.
type value struct {
	name string
	n    uint64
}

// table adds two lines to b: names, and numbers.
func table(b *bytes.Buffer, name string, values ...value) {
	names, numbers := name+":", name+":"
	for _, v := range values {
		names += " " + v.name
		numbers += " " + strconv.FormatUint(v.n, 10)
	}
	b.WriteString(names + "\n" + numbers + "\n")
}

// procNetstat is /proc/net/netstat with what the stack counts. Octets are those of all that went over interfaces without Ethernet's headers, IPv6 among them.
func procNetstat() []byte {
	const header = 14 // of Ethernet
	s := stack()
	t := s.Segments()
	var b bytes.Buffer
	table(&b, "TcpExt", value{"PAWSEstab", t.OldTimestamps}, value{"ListenDrops", s.Counters.TCPBacklog.Load()}, value{"TCPLossProbes", t.TailProbes}, value{"TCPDSACKRecv", t.DSACKs},
		value{"TCPAbortOnTimeout", t.Timeouts}, value{"TCPSpuriousRTOs", t.Spurious}, value{"TCPOFOQueue", t.OutOfOrder}, value{"TCPOFODrop", t.Holes}, value{"TCPChallengeACK", t.Challenges},
		value{"TCPRcvQDrop", t.NoMemory}, value{"TCPWinProbe", t.WindowProbes})
	var in, out uint64
	for _, i := range s.Host().Interfaces() {
		r, w := s.Traffic(i)
		in += r.Bytes - min(header*r.Frames, r.Bytes)
		out += w.Bytes - min(header*w.Frames, w.Bytes)
	}
	table(&b, "IpExt", value{"InOctets", in}, value{"OutOctets", out})
	return b.Bytes()
}

// procSockstat is /proc/net/sockstat or sockstat6: how many sockets of a kind there are. An orphan is a connection that no descriptor has. Their memory is not told: the pools' is in dump.
func procSockstat(six bool) []byte {
	var used, raws, udp, streams, orphans, waiting int
	families := map[any]int{}
	sock.All(func(o sock.Open) {
		used++
		families[o.Socket] = o.Domain
		if _, ok := o.Socket.(*rawSocket); ok && (o.Domain == syscall.AF_INET6) == six {
			raws++
		}
	})
	stack().Ports(func(p *inet.PortUse) {
		family, held := families[p.Hook]
		is6 := p.Local.Addr().Is6()
		if held {
			is6 = family == syscall.AF_INET6
		}
		switch {
		case is6 != six:
		case !p.TCP:
			udp++
		case p.State == tcp.TimeWait && !p.Listening:
			waiting++
		default:
			streams++
			if !held {
				orphans++
			}
		}
	})
	if six {
		return fmt.Appendf(nil, "TCP6: inuse %d\nUDP6: inuse %d\nUDPLITE6: inuse 0\nRAW6: inuse %d\n", streams, udp, raws)
	}
	return fmt.Appendf(nil, "sockets: used %d\nTCP: inuse %d orphan %d tw %d\nUDP: inuse %d\nUDPLITE: inuse 0\nRAW: inuse %d\n", used, streams, orphans, waiting, udp, raws)
}

// procSNMP is /proc/net/snmp with what the stack counts.
func procSNMP() []byte {
	s := stack()
	var b bytes.Buffer
	count := s.Host().Count
	table(&b, "Ip", value{"Forwarding", 2}, value{"DefaultTTL", 64}, value{"InReceives", count(ip.PacketsIn)}, value{"InHdrErrors", count(ip.BadHeader) + count(ip.Truncated)}, value{"InAddrErrors", count(ip.Martian) + count(ip.NotForUs)},
		value{"InUnknownProtos", s.Counters.NoProtocol.Load()}, value{"OutRequests", count(ip.PacketsOut)}, value{"OutNoRoutes", s.Counters.NoRoute.Load()},
		value{"ReasmTimeout", count(ip.FragmentTimeout)}, value{"ReasmOKs", count(ip.Reassembled)}, value{"FragCreates", count(ip.FragmentsOut)})
	established := uint64(0)
	s.Ports(func(p *inet.PortUse) {
		if p.TCP && !p.Listening && (p.State == tcp.Established || p.State == tcp.CloseWait) {
			established++
		}
	})
	segments, c := s.Segments(), &s.Counters
	table(&b, "Tcp", value{"CurrEstab", established}, value{"InSegs", segments.SegmentsIn}, value{"OutSegs", segments.SegmentsOut}, value{"InErrs", c.TCPMalformed.Load() + c.TCPChecksum.Load()}, value{"InCsumErrors", c.TCPChecksum.Load()})
	table(&b, "Udp", value{"NoPorts", c.UDPNoEndpoint.Load()}, value{"InErrors", c.UDPMalformed.Load() + c.UDPChecksum.Load()}, value{"InCsumErrors", c.UDPChecksum.Load()})
	return b.Bytes()
}
