//go:build linux

package peer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"

	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/hardtack-os/hardtack/internal/child"
)

// Frames of any kind to a booted image, over QEMU's stream network: each frame comes behind its length, as 4 bytes (QEMU's net/stream.c). gopacket makes them, and reads what the image answers.

var (
	imageMAC = net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	hostMAC  = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	imageIP  = net.IP{10, 5, 0, 2}
	hostIP   = net.IP{10, 5, 0, 1}
)

// A target is a booted image, and the wire to it.
type target struct {
	t    *testing.T
	conn net.Conn
	in   chan gopacket.Packet // what the image sends, ARP aside, which is answered
	qemu *exec.Cmd
	says *bufio.Scanner
}

func newTarget(t *testing.T) *target {
	t.Helper()
	dir := t.TempDir()
	tool, image := filepath.Join(dir, "mkimage"), filepath.Join(dir, "frames.elf")
	for _, args := range [][]string{{"go", "build", "-o", tool, "./cmd/mkimage"}, {tool, "build", "-o", image, "./ci/image/guest/frames"}} {
		c := exec.Command(args[0], args[1:]...)
		c.Dir = "../.."
		c.Env = append(os.Environ(), "GOWORK=") // that of the whole tree
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	sock := filepath.Join(dir, "wire")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := &target{t: t, in: make(chan gopacket.Packet, 10000)}
	g.qemu = exec.Command("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu", "max",
		"-M", "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on", "-m", "128M", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
		"-global", "virtio-mmio.force-legacy=false", "-netdev", "stream,id=net,addr.type=unix,addr.path="+sock, "-device", "virtio-net-device,netdev=net,mac="+imageMAC.String(),
		"-kernel", image, "-append", "debugexit=0xf4 ip="+imageIP.String()+"/24")
	out, err := g.qemu.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.qemu.Stderr = os.Stderr
	if err := child.Start(g.qemu); err != nil {
		t.Fatal("QEMU is needed (ci/install): ", err)
	}
	t.Cleanup(func() { g.qemu.Process.Kill(); g.qemu.Wait() })
	l.(*net.UnixListener).SetDeadline(time.Now().Add(2 * time.Minute))
	if g.conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	go g.receive()
	g.says = bufio.NewScanner(out)
	for g.says.Scan() {
		if strings.TrimSpace(g.says.Text()) == "ready" {
			go func() { // what it says when it ends
				for g.says.Scan() {
					os.Stderr.WriteString("image: " + g.says.Text() + "\n")
				}
			}()
			return g
		}
		t.Log(g.says.Text())
	}
	t.Fatal("the image ended before it served")
	return nil
}

// receive answers ARP's requests for the host, and keeps all else.
func (g *target) receive() {
	head := make([]byte, 4)
	for {
		if _, err := io.ReadFull(g.conn, head); err != nil {
			close(g.in)
			return
		}
		b := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(g.conn, b); err != nil {
			close(g.in)
			return
		}
		p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.Default)
		if a, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
			if a.Operation == layers.ARPRequest && bytes.Equal(a.DstProtAddress, hostIP) {
				g.send(&layers.Ethernet{SrcMAC: hostMAC, DstMAC: imageMAC, EthernetType: layers.EthernetTypeARP}, arpOf(layers.ARPReply, hostMAC, hostIP))
			}
			continue
		}
		g.in <- p
	}
}

func arpOf(op uint16, mac net.HardwareAddr, ip net.IP) *layers.ARP {
	return &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: op,
		SourceHwAddress: mac, SourceProtAddress: ip.To4(), DstHwAddress: imageMAC, DstProtAddress: imageIP.To4()}
}

// raw sends bytes as a frame.
func (g *target) raw(b []byte) {
	g.t.Helper()
	if _, err := g.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		g.t.Fatal("the wire is cut: ", err)
	}
}

// build makes a frame, with lengths and checksums filled in.
func build(l ...gopacket.SerializableLayer) []byte {
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, l...); err != nil {
		panic(err)
	}
	return bytes.Clone(b.Bytes())
}

func (g *target) send(l ...gopacket.SerializableLayer) { g.raw(build(l...)) }

func ether() *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: hostMAC, DstMAC: imageMAC, EthernetType: layers.EthernetTypeIPv4}
}

func ipHeader(proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: hostIP, DstIP: imageIP}
}

// udp makes a datagram's frame.
func datagramTo(ip *layers.IPv4, port uint16, data []byte) []byte {
	u := &layers.UDP{SrcPort: 5000, DstPort: layers.UDPPort(port)}
	u.SetNetworkLayerForChecksum(ip)
	return build(ether(), ip, u, gopacket.Payload(data))
}

// expect waits for a packet of the image's that ok accepts, and drops those before it.
func (g *target) expect(what string, ok func(p gopacket.Packet) bool) gopacket.Packet {
	g.t.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case p, more := <-g.in:
			if !more {
				g.t.Fatal("the image is gone; waited for " + what)
			}
			if ok(p) {
				return p
			}
		case <-end:
			g.t.Fatal("in vain waited for " + what)
		}
	}
}

// ask sends a datagram to the echo, and gives the answer.
func (g *target) ask(word string) string {
	g.t.Helper()
	g.raw(datagramTo(ipHeader(layers.IPProtocolUDP), 7, []byte(word)))
	var parts []byte
	p := g.expect("an answer to "+word, func(p gopacket.Packet) bool {
		ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		if ok && ip.Protocol == layers.IPProtocolUDP && (ip.Flags&layers.IPv4MoreFragments != 0 || ip.FragOffset > 0) {
			if parts = append(parts, ip.Payload...); ip.FragOffset == 0 {
				parts = append([]byte(nil), ip.Payload[8:]...)
			}
			return ip.Flags&layers.IPv4MoreFragments == 0
		}
		u, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		return ok && u.SrcPort == 7
	})
	if parts != nil {
		return string(parts)
	}
	return string(p.Layer(layers.LayerTypeUDP).(*layers.UDP).Payload)
}

// counters asks the image for its own.
func (g *target) counters() map[string]int {
	g.t.Helper()
	m := map[string]int{}
	for line := range strings.Lines(g.ask("counters")) {
		count, why, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if n, ok := strings.CutPrefix(count, "dropped "); ok {
			m[why], _ = strconv.Atoi(n)
		}
	}
	return m
}

// A talk is a connection that the test leads by hand.
type talk struct {
	g        *target
	port     uint16
	seq, ack uint32 // ours and the image's next
	synAck   *layers.TCP
}

// segment sends one of the connection's; change may spoil it.
func (c *talk) segment(data []byte, change func(s *layers.TCP)) {
	ip := ipHeader(layers.IPProtocolTCP)
	s := &layers.TCP{SrcPort: layers.TCPPort(c.port), DstPort: 7, Seq: c.seq, Ack: c.ack, ACK: true, PSH: len(data) > 0, Window: 65535}
	if change != nil {
		change(s)
	}
	s.SetNetworkLayerForChecksum(ip)
	c.g.send(ether(), ip, s, gopacket.Payload(data))
}

// answer waits for a segment to the connection.
func (c *talk) answer(what string, ok func(s *layers.TCP) bool) *layers.TCP {
	c.g.t.Helper()
	p := c.g.expect(what, func(p gopacket.Packet) bool {
		s, is := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		return is && uint16(s.DstPort) == c.port && ok(s)
	})
	return p.Layer(layers.LayerTypeTCP).(*layers.TCP)
}

func (g *target) talk(port uint16, options ...layers.TCPOption) *talk {
	g.t.Helper()
	c := &talk{g: g, port: port, seq: 1000}
	c.segment(nil, func(s *layers.TCP) { s.SYN, s.ACK, s.Ack, s.Options = true, false, 0, options })
	c.synAck = c.answer("SYN and ACK", func(s *layers.TCP) bool { return s.SYN && s.ACK })
	c.seq++
	c.ack = c.synAck.Seq + 1
	c.segment(nil, nil)
	return c
}

// say sends data, and has it come back, in segments of any size.
func (c *talk) say(data string) (largest int) {
	c.g.t.Helper()
	c.segment([]byte(data), nil)
	c.seq += uint32(len(data))
	var got []byte
	for len(got) < len(data) {
		s := c.answer("the echo", func(s *layers.TCP) bool { return len(s.Payload) > 0 && s.Seq == c.ack })
		got = append(got, s.Payload...)
		largest = max(largest, len(s.Payload))
		c.ack += uint32(len(s.Payload))
		c.segment(nil, nil)
	}
	if string(got) != data {
		c.g.t.Errorf("%q came back for %q", got, data)
	}
	return largest
}

// TestFrames: what is malformed, spoofed, or meant to break a connection is dropped by the layer that it is about, which counts it; the image lives on, its connections too.
func TestFrames(t *testing.T) {
	g := newTarget(t)
	if got := g.ask("hello"); got != "hello" {
		t.Fatal(got)
	}
	bystander := g.talk(40000) // is there all the time, and lives
	bystander.say("at first")

	ip := func(change func(ip *layers.IPv4)) []byte {
		x := ipHeader(layers.IPProtocolUDP)
		change(x)
		return datagramTo(x, 7, []byte("never to be answered"))
	}
	spoil := func(b []byte, at int, v ...byte) []byte {
		copy(b[at:], v)
		return b
	}
	// header spoils the IP header and makes its checksum right again.
	header := func(b []byte, at int, v ...byte) []byte {
		spoil(b, at, v...)
		b[24], b[25] = 0, 0
		var sum uint32
		for i := 14; i < 34; i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
		sum = sum>>16 + sum&0xffff
		return spoil(b, 24, byte(^sum>>8), byte(^sum))
	}
	plain := func() []byte { return ip(func(*layers.IPv4) {}) }
	segment := func(change func(s *layers.TCP)) []byte {
		x := ipHeader(layers.IPProtocolTCP)
		s := &layers.TCP{SrcPort: 41000, DstPort: 7, Seq: 5, Ack: 6, ACK: true, Window: 100}
		change(s)
		s.SetNetworkLayerForChecksum(x)
		return build(ether(), x, s)
	}
	fragment := func(id uint16, off, n int, more bool) []byte {
		x := ipHeader(layers.IPProtocolUDP)
		x.Id, x.FragOffset = id, uint16(off/8)
		if more {
			x.Flags = layers.IPv4MoreFragments
		}
		return build(ether(), x, gopacket.Payload(bytes.Repeat([]byte{byte(id)}, n)))
	}
	for _, x := range []struct {
		name, counter string
		frames        [][]byte
	}{
		{"half an Ethernet header", "eth0: frames of impossible length", [][]byte{plain()[:7]}},
		{"unknown type", "ip: unknown ethertype", [][]byte{spoil(plain(), 12, 0x12, 0x34)}},
		{"no IP header", "ip: bad IP header", [][]byte{plain()[:14], plain()[:20]}},
		{"version 5", "ip: bad IP header", [][]byte{header(plain(), 14, 0x55)}},
		{"header of 16 bytes", "ip: bad IP header", [][]byte{header(plain(), 14, 0x44)}},
		{"wrong header checksum", "ip: bad IP header", [][]byte{spoil(plain(), 24, 1, 2)}},
		{"longer than the frame", "ip: truncated packet", [][]byte{header(plain(), 16, 0x40, 0)}},
		{"from loopback", "ip: martian address", [][]byte{ip(func(ip *layers.IPv4) { ip.SrcIP = net.IP{127, 0, 0, 1} })}},
		{"to loopback", "ip: martian address", [][]byte{ip(func(ip *layers.IPv4) { ip.DstIP = net.IP{127, 0, 0, 1} })}},
		{"from a group", "ip: martian address", [][]byte{ip(func(ip *layers.IPv4) { ip.SrcIP = net.IP{224, 0, 0, 5} })}},
		{"from everybody", "ip: martian address", [][]byte{ip(func(ip *layers.IPv4) { ip.SrcIP = net.IP{255, 255, 255, 255} })}},
		{"land", "ip: martian address", [][]byte{ip(func(ip *layers.IPv4) { ip.SrcIP = imageIP })}},
		{"to another", "ip: not for us", [][]byte{ip(func(ip *layers.IPv4) { ip.DstIP = net.IP{10, 5, 0, 77} })}},
		{"source route", "ip: source routed", [][]byte{ip(func(ip *layers.IPv4) {
			ip.Options = []layers.IPv4Option{{OptionType: 131, OptionLength: 7, OptionData: []byte{4, 10, 5, 0, 9}}}
		})}},
		{"ping of death", "ip: bad fragment", [][]byte{fragment(1, 65528, 1400, false)}},
		{"fragment of a length that is not a multiple of 8", "ip: bad fragment", [][]byte{fragment(2, 0, 13, true)}},
		{"teardrop", "ip: overlapping fragment", [][]byte{fragment(3, 0, 64, true), fragment(3, 24, 64, false)}},
		{"checksum of UDP", "udp: checksum", [][]byte{spoil(plain(), 40, 9, 9)}},
		{"UDP longer than its packet", "udp: malformed", [][]byte{spoil(plain(), 38, 0x40, 0)}},
		{"UDP of seven bytes", "udp: malformed", [][]byte{spoil(plain(), 38, 0, 7)}},
		{"UDP to nobody", "udp: nobody listens", [][]byte{datagramTo(ipHeader(layers.IPProtocolUDP), 4444, nil)}},
		{"unknown protocol", "ip: unknown protocol", [][]byte{build(ether(), ipHeader(200), gopacket.Payload("hello, hello"))}},
		{"checksum of TCP", "tcp: checksum", [][]byte{spoil(segment(func(*layers.TCP) {}), 50, 9, 9)}},
		{"TCP header of 16 bytes", "tcp: malformed", [][]byte{spoil(segment(func(*layers.TCP) {}), 46, 0x40)}},
		{"TCP header longer than the segment", "tcp: malformed", [][]byte{spoil(segment(func(*layers.TCP) {}), 46, 0xf0)}},
		{"TCP to nobody", "tcp: nobody listens", [][]byte{segment(func(s *layers.TCP) { s.DstPort = 8 })}},
		{"ARP cut off", "ip: bad ARP packet", [][]byte{build(&layers.Ethernet{SrcMAC: hostMAC, DstMAC: imageMAC, EthernetType: layers.EthernetTypeARP}, gopacket.Payload("short"))}},
		{"somebody has our address", "ip: address conflict", [][]byte{build(&layers.Ethernet{SrcMAC: hostMAC, DstMAC: imageMAC, EthernetType: layers.EthernetTypeARP}, arpOf(layers.ARPReply, hostMAC, imageIP))}},
		{"ICMP with a wrong checksum", "ip: bad ICMP message", [][]byte{spoil(build(ether(), ipHeader(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0)}), 36, 1, 2)}},
	} {
		before := g.counters()[x.counter]
		for _, f := range x.frames {
			g.raw(f)
		}
		if after := g.counters()[x.counter]; after != before+len(x.frames) && !(x.name == "teardrop" && after == before+1) {
			t.Errorf("%s: %q counts %d, and %d before", x.name, x.counter, after, before)
		}
	}
	// The card was told which groups to hear: what is for others does not come to be counted.
	before := g.counters()["ip: not for us"]
	elsewhere := ip(func(ip *layers.IPv4) { ip.DstIP = net.IP{239, 1, 2, 3} })
	g.raw(spoil(bytes.Clone(elsewhere), 0, 1, 0, 0x5e, 1, 2, 3))
	g.raw(spoil(bytes.Clone(elsewhere), 0, 1, 0, 0x5e, 0, 0, 1)) // by the address of all hosts
	if after := g.counters()["ip: not for us"]; after != before+1 {
		t.Errorf("of two packets to a group that nobody is in, one by an address that the card hears, %d came through", after-before)
	}
	bystander.say("after the malformed ones")

	// RFC 5961: a reset or SYN that an attacker can guess does not end a connection, and is answered by an ACK, twice a second at most.
	challenge := func(what string, change func(s *layers.TCP)) {
		t.Helper()
		time.Sleep(time.Second)
		bystander.segment(nil, change)
		bystander.answer("a challenge to "+what, func(s *layers.TCP) bool { return s.ACK && !s.RST && !s.SYN && s.Seq == bystander.ack })
		bystander.say("after " + what)
	}
	challenge("a reset in the window", func(s *layers.TCP) { s.RST, s.Seq = true, s.Seq+100 })
	challenge("a SYN in the window", func(s *layers.TCP) { s.SYN, s.ACK, s.Seq = true, false, s.Seq+5 })
	challenge("an acknowledgement of what was never sent", func(s *layers.TCP) { s.Ack += 1 << 20 })
	bystander.segment(nil, func(s *layers.TCP) { s.RST, s.Seq = true, s.Seq-1000 }) // out of the window: nothing at all
	bystander.segment([]byte("replayed"), func(s *layers.TCP) { s.Seq -= 8 })
	bystander.answer("the acknowledgement of a replayed segment", func(s *layers.TCP) bool { return s.Ack == bystander.seq })
	bystander.say("after the replayed one")

	// Options that nobody means well by.
	tiny := g.talk(40001, layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{0, 1}})
	if n := tiny.say(strings.Repeat("tiny ", 100)); n < 48 {
		t.Errorf("an MSS of 1 makes segments of %d bytes", n)
	}
	huge := g.talk(40002, layers.TCPOption{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{255}})
	huge.say("a window scale of 255")
	g.raw(spoil(segment(func(s *layers.TCP) {
		s.SYN, s.ACK = true, false
		s.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{1, 1}}}
	}), 55, 0)) // an option of length 0
	for flags := range 64 { // all there are, without a connection
		g.raw(segment(func(s *layers.TCP) {
			s.FIN, s.SYN, s.RST, s.PSH, s.ACK, s.URG = flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&8 != 0, flags&16 != 0, flags&32 != 0
			s.SrcPort = layers.TCPPort(42000 + flags)
		}))
	}
	bystander.say("after all flags")

	// An exact reset ends a connection.
	tiny.segment(nil, func(s *layers.TCP) { s.RST = true })
	tiny.segment([]byte("x"), nil)
	tiny.answer("a reset of what is no more", func(s *layers.TCP) bool { return s.RST })

	// Packets that never become whole are given up before memory is.
	for id := range uint16(3000) {
		g.raw(fragment(100+id, 8, 1400, true))
	}
	if n := g.counters(); n["ip: too many fragments"] == 0 {
		t.Errorf("3000 packets without a beginning are kept: %v", n)
	}
	bystander.say("after the fragments")

	// Anything: good frames with some bytes changed.
	rng := rand.New(rand.NewPCG(1, 2))
	seeds := [][]byte{plain(), segment(func(s *layers.TCP) { s.SYN, s.ACK = true, false }), fragment(9, 0, 64, true),
		build(ether(), ipHeader(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 4)}, gopacket.Payload(segment(func(*layers.TCP) {})[14:])),
		build(&layers.Ethernet{SrcMAC: hostMAC, DstMAC: imageMAC, EthernetType: layers.EthernetTypeARP}, arpOf(layers.ARPRequest, hostMAC, hostIP))}
	for range 5000 {
		b := bytes.Clone(seeds[rng.IntN(len(seeds))])
		for range 1 + rng.IntN(4) {
			b[12+rng.IntN(len(b)-12)] = byte(rng.Uint32())
		}
		if rng.IntN(4) == 0 {
			b = b[:rng.IntN(len(b))+1]
		}
		if len(b) > 34 && bytes.Equal(b[26:30], hostIP) && rng.IntN(2) == 0 {
			b = header(b, 14, b[14])
		}
		g.raw(b)
		for len(g.in) > 1000 {
			<-g.in
		}
	}
	bystander.say("after 5000 of any kind")
	// One of them may be right by chance, and be answered late.
	got := g.ask("still here")
	for range 9 {
		if got != "still here" {
			got = g.ask("still here")
		}
	}
	if got != "still here" {
		t.Error(got)
	}
	g.raw(datagramTo(ipHeader(layers.IPProtocolUDP), 7, []byte("exit")))
	var exit *exec.ExitError
	if err := g.qemu.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 { // isa-debug-exit's way to say 0
		t.Errorf("the image ended with %v", err)
	}
}
