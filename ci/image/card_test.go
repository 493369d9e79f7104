//go:build linux && !hardtack

package image

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hardtack-os/hardtack/internal/netns"
)

// The driver of virtio's network card, against QEMU's card.

// TestCards: the machines and buses that cards come by. A transitional function, which is QEMU's default on pc, is used by its modern registers.
func TestCards(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ machine, card string }{
		{"q35", "virtio-net-pci"}, {"q35", "virtio-net-pci,disable-legacy=on"}, {"pc", "virtio-net-pci"}, {"pc", "virtio-net-pci,disable-legacy=on,packed=off,indirect_desc=off,event_idx=off"},
		{"q35", "virtio-net-pci,vectors=2,csum=off,guest_csum=off,mrg_rxbuf=off"}, {"", "virtio-net-device,host_mtu=1300,ctrl_vq=off"},
	} {
		t.Run(or(x.machine, "microvm")+" "+strings.ReplaceAll(x.card, ",", " "), func(t *testing.T) {
			w := startWebOn(t, machine{kind: x.machine, cpus: 2}, x.card)
			w.serves(t)
			mtu := " 1500 "
			if strings.Contains(x.card, "host_mtu") {
				mtu = " 1300 "
			}
			if got := w.get(t, "/interfaces"); !strings.Contains(got, "2 eth0 up|broadcast|multicast|running"+mtu) {
				t.Error(got)
			}
			w.end(t)
		})
	}
}

// serves has a few clients ask for a little, and one for more.
func (w *web) serves(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	for c := range 8 {
		all.Go(func() {
			for k := range 5 {
				name := fmt.Sprint(c, "-", k)
				if got := w.get(t, "/hello?name="+name); got != "hello from "+name {
					t.Errorf("%q", got)
				}
			}
		})
	}
	all.Wait()
	const much = 2 << 20
	if got := w.get(t, fmt.Sprint("/bytes?n=", much)); len(got) != much {
		t.Errorf("%d of %d bytes came", len(got), much)
	}
}

// TestCarrier pulls the cable and puts it back.
func TestCarrier(t *testing.T) {
	t.Parallel()
	for kind, card := range map[string]string{"": "virtio-net-device", "q35": "virtio-net-pci"} {
		sock := filepath.Join(t.TempDir(), "qmp")
		w := startWebOn(t, machine{kind: kind, more: []string{"-qmp", "unix:" + sock + ",server=on,wait=off"}}, card)
		q := dialQMP(t, sock)
		link := func(up bool) {
			q.do(t, fmt.Sprintf(`{"execute":"set_link","arguments":{"name":"nic","up":%v}}`, up), nil)
		}
		// QEMU's network lets nothing through without a carrier, so the program looks for us.
		w.client.Get(w.url + "/watch?interface=eth0")
		link(false)
		w.until(t, "eth0 up|broadcast|multicast.")
		link(true)
		w.until(t, "eth0 up|broadcast|multicast|running.")
		w.serves(t)
		w.end(t)
	}
}

// queueUse is how far a queue of the card has come, as QEMU counts.
func (q *qmp) queueUse(t *testing.T, path string, queue int) (used int) {
	t.Helper()
	var r struct {
		Used int `json:"used-idx"`
	}
	q.do(t, fmt.Sprintf(`{"execute":"x-query-virtio-queue-status","arguments":{"path":%q,"queue":%d}}`, path, queue), &r)
	return r.Used
}

// TestQueuePairs: a card with several pairs of queues on a machine with several CPUs. The host's own stack at the other end of a TAP device with as many queues sees flows answered
// that come by all of them.
func TestQueuePairs(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct{ machine, card, path string }{
		"microvm": {"", "virtio-net-device", "/machine/peripheral/nic"},
		"q35":     {"q35", "virtio-net-pci,vectors=6", "/machine/peripheral/nic/virtio-backend"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := netns.For(t)
			for _, step := range []string{"tuntap add tap0 mode tap vnet_hdr multi_queue", "address add 10.77.0.1/24 dev tap0", "link set tap0 up"} {
				if err := ns.Run("ip", strings.Fields(step)...); err != nil {
					t.Fatal(err)
				}
			}
			sock := filepath.Join(t.TempDir(), "qmp")
			m := machine{kind: x.machine, cpus: 2, apart: ns, words: "ip=10.77.0.2/24", more: []string{
				"-global", "virtio-mmio.force-legacy=false", "-qmp", "unix:" + sock + ",server=on,wait=off",
				"-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no,queues=2", "-device", x.card + ",id=nic,netdev=net,mq=on"}}
			w := &web{boot: start(t, "web", m), url: "http://10.77.0.2:8080"}
			w.client.Transport = &http.Transport{MaxIdleConnsPerHost: 100, DialContext: func(ctx context.Context, network, addr string) (c net.Conn, err error) {
				err = ns.Do(func() error {
					c, err = new(net.Dialer).DialContext(ctx, network, addr)
					return err
				})
				return c, err
			}}
			w.ready(t)
			q := dialQMP(t, sock)
			queues := []string{"received by pair 0", "sent by pair 0", "received by pair 1", "sent by pair 1"}
			for round := 1; ; round++ { // which pair a flow takes is Linux's choice, and which CPU serves it the scheduler's
				w.client.CloseIdleConnections()
				w.serves(t)
				few := ""
				for queue, what := range queues {
					if n := q.queueUse(t, x.path, queue); n < 20 {
						few += fmt.Sprintf(" %s: %d frames.", what, n)
					}
				}
				if few == "" || t.Failed() {
					break
				}
				if round == 50 {
					t.Error(few)
					break
				}
			}
			w.end(t)
		})
	}
}
