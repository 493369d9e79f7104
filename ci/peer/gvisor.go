package peer

import (
	"context"
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
)

// nic is the number of the one interface.
const nic = 1

// newNetstack makes a stack of gVisor's whose interface is the endpoint, with one address.
func newNetstack(ep stack.LinkEndpoint, at netip.Prefix) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})
	if err := s.CreateNIC(nic, ep); err != nil {
		return nil, fmt.Errorf("gVisor: no interface: %v", err)
	}
	a := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(at.Addr().As4()), PrefixLen: at.Bits()}
	if err := s.AddProtocolAddress(nic, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: a}, stack.AddressProperties{}); err != nil {
		return nil, fmt.Errorf("gVisor: no address: %v", err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	sack := tcpip.TCPSACKEnabled(true)
	if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack); err != nil {
		return nil, fmt.Errorf("gVisor: no SACK: %v", err)
	}
	return s, nil
}

// attach joins a stack of gVisor's to a device of ours, until the device is closed.
func attach(d link.Device, at netip.Prefix) (*stack.Stack, error) {
	info := d.Info()
	ch := channel.New(4096, uint32(info.MTU), tcpip.LinkAddress(info.MAC[:]))
	s, err := newNetstack(ethernet.New(ch), at)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		receive(d, ch)
	}()
	go send(ctx, d, ch)
	return s, nil
}

// receive hands what arrives on.
func receive(d link.Device, ch *channel.Endpoint) {
	for {
		var f link.Frame
		for d.Receive(0, &f) {
			data := append([]byte(nil), f.Head.Bytes()...)
			for i := range f.Body {
				data = append(data, f.Body[i].Bytes()...)
			}
			f.Release()
			p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(data)})
			ch.InjectInbound(0, p) // the Ethernet endpoint above reads the protocol itself
			p.DecRef()
		}
		if d.Wait(0) != nil {
			return
		}
	}
}

// send puts what gVisor sends on the wire.
func send(ctx context.Context, d link.Device, ch *channel.Endpoint) {
	pool := buf.NewPool("gvisor", 1<<16, 1<<12, buf.Heap)
	for {
		p := ch.ReadContext(ctx)
		if p == nil {
			return
		}
		r, ok := pool.Get()
		if ok {
			v := p.ToView()
			r.Truncate(copy(r.Bytes(), v.AsSlice()))
			v.Release()
			d.Send(0, &link.Frame{Head: r})
			d.Flush(0)
		}
		p.DecRef()
	}
}
