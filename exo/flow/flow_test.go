package flow

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/filter"
)

func verify(t testing.TB, code ...filter.Instruction) *filter.Program {
	t.Helper()
	p, err := filter.Verify(code)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// word accepts packets whose 16 bits at off, masked, have the value.
func word(t testing.TB, off uint32, mask, value uint16) *filter.Program {
	return verify(t,
		filter.Instruction{Op: filter.LdAbsH, K: off},
		filter.Instruction{Op: filter.AndK, K: uint32(mask)},
		filter.Instruction{Op: filter.JeqK, K: uint32(value), Jf: 1},
		filter.Instruction{Op: filter.RetK, K: 1},
		filter.Instruction{Op: filter.RetK})
}

// packet has these 16-bit words.
func packet(words ...uint16) (b []byte) {
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

func all(t testing.TB) *filter.Program {
	return verify(t, filter.Instruction{Op: filter.RetK, K: 1})
}

// A card is a NIC with the capability of its queues.
type card struct {
	*NIC
	all exo.Cap
}

func newNIC(t testing.TB, queues int) card {
	n, c, err := NewNIC("eth0", queues)
	if err != nil {
		t.Fatal(err)
	}
	return card{n, c}
}

func take(t testing.TB, n card, holder string, q int) *Queue {
	t.Helper()
	queue, err := n.Bind(n.all, holder, q)
	if err != nil {
		t.Fatal(err)
	}
	return queue
}

func claim(t testing.TB, q *Queue, p *filter.Program, rank uint32) *Flow {
	t.Helper()
	f, err := q.Claim(p, rank)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFlows(t *testing.T) {
	n := newNIC(t, 3)
	web, dns, rest := take(t, n, "web", 0), take(t, n, "dns", 1), take(t, n, "rest", 2)
	steered := func(want int, words ...uint16) {
		t.Helper()
		got, ok := n.Steer(packet(words...))
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%v goes to queue %d, want %d", words, got, want)
		}
	}
	steered(-1, 80)
	claim(t, web, word(t, 0, 0xffff, 80), 0)
	domain := claim(t, dns, word(t, 0, 0xffff, 53), 0)
	steered(0, 80)
	steered(1, 53)
	steered(-1, 54)

	// What would take another's packets is refused, with a packet to show it.
	var overlap *OverlapError
	_, err := rest.Claim(word(t, 0, 0xfff0, 0x50), 0)
	if !errors.As(err, &overlap) || overlap.Holder != "rest" || overlap.Other != "web" || overlap.Queue != 0 || overlap.Rank != 0 || !slices.Equal(overlap.Witness, packet(80)) {
		t.Errorf("%+v", err)
	}
	const want = "flow: eth0: the filter of rest and that of web (queue 0), both of rank 0, accept the same packet of 2 bytes, 0050; " +
		"narrow one, or give the one that is to come after the other a larger rank"
	if err != nil && err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	steered(0, 80)

	// Who comes after gets what is left, whoever came first.
	claim(t, rest, all(t), 2)
	steered(0, 80)
	steered(2, 54)
	if _, err := web.Claim(all(t), 2); !errors.As(err, &overlap) || overlap.Other != "rest" || overlap.Rank != 2 {
		t.Errorf("a second one after all others: %v", err)
	}
	claim(t, web, word(t, 0, 0xffff, 443), 1)
	steered(0, 443)
	if err := domain.Release(); err != nil {
		t.Error(err)
	}
	steered(2, 53)
	claim(t, web, word(t, 0, 0xffff, 53), 0)
	steered(0, 53)

	// A queue takes its flows along.
	if err := web.Release(); err != nil {
		t.Error(err)
	}
	for _, port := range []uint16{80, 443, 53} {
		steered(2, port)
	}
	var released *exo.ReleasedError
	var empty *exo.EmptyError
	_, late := web.Claim(all(t), 7)
	_, never := new(Queue).Claim(all(t), 7)
	for what, err := range map[string]error{"releasing a flow twice": domain.Release(), "releasing a queue twice": web.Release(), "a claim on a released queue": late} {
		if !errors.As(err, &released) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{"releasing the empty flow": new(Flow).Release(), "releasing the empty queue": new(Queue).Release(), "a claim on the empty queue": never} {
		if !errors.As(err, &empty) {
			t.Errorf("%s: %v", what, err)
		}
	}
	take(t, n, "web again", 0)
}

// What can be proven neither way is refused, and says so.
func TestUnprovenClaim(t *testing.T) {
	n := newNIC(t, 2)
	claim(t, take(t, n, "plain", 0), word(t, 0, 0xffff, 7), 0)
	odd := verify(t,
		filter.Instruction{Op: filter.LdAbsH},
		filter.Instruction{Op: filter.XorK, K: 0x1234},
		filter.Instruction{Op: filter.JeqK, Jf: 1},
		filter.Instruction{Op: filter.RetK, K: 1},
		filter.Instruction{Op: filter.RetK})
	q := take(t, n, "odd", 1)
	_, err := q.Claim(odd, 0)
	var overlap *OverlapError
	if !errors.As(err, &overlap) || overlap.Other != "plain" || overlap.Witness != nil || !strings.Contains(err.Error(), "instruction 2 compares") {
		t.Errorf("%v", err)
	}
	claim(t, q, odd, 1)
	if got, ok := n.Steer(packet(0x1234)); !ok || got != 1 {
		t.Errorf("queue %d, %v", got, ok)
	}
}

func TestRefusedQueues(t *testing.T) {
	for _, queues := range []int{0, -1, 0x8001} {
		var e *exo.RangeError
		if _, _, err := NewNIC("eth0", queues); !errors.As(err, &e) {
			t.Errorf("%d queues: %v", queues, err)
		}
	}
	n := newNIC(t, 2)
	q := take(t, n, "first", 1)
	var held *exo.HeldError
	if _, err := n.Bind(n.all, "second", 1); !errors.As(err, &held) || held.Holder != "first" {
		t.Errorf("%v", err)
	}
	var outside *exo.RangeError
	for _, no := range []int{2, -1} {
		if _, err := n.Bind(n.all, "second", no); !errors.As(err, &outside) {
			t.Errorf("queue %d: %v", no, err)
		}
	}
	var broken *filter.RuleError
	for _, p := range []*filter.Program{nil, new(filter.Program)} {
		if _, err := q.Claim(p, 0); !errors.As(err, &broken) {
			t.Errorf("a claim without a program: %v", err)
		}
	}
}

// Capabilities decide who binds what, and taking one back ends what came from it: queues, their flows, extents.
func TestRevoked(t *testing.T) {
	n := newNIC(t, 4)
	child, err := n.all.Derive("child", 1, 2, exo.Read|exo.Bind|exo.Derive)
	if err != nil {
		t.Fatal(err)
	}
	var outside *exo.RangeError
	if _, err := n.Bind(child, "child", 3); !errors.As(err, &outside) {
		t.Errorf("a queue that was not handed on: %v", err)
	}
	var held *exo.HeldError
	if _, err := n.Bind(n.all, "parent", 1); !errors.As(err, &held) || held.Holder != "child" {
		t.Errorf("a queue that was handed on: %v", err)
	}
	var rights *exo.RightsError
	if deaf, err := child.Derive("deaf", 2, 2, exo.Write|exo.Bind); err == nil {
		t.Errorf("a right that the child has not: %v", deaf)
	}
	deaf, err := child.Derive("deaf", 2, 2, exo.Bind)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Bind(deaf, "deaf", 2); !errors.As(err, &rights) {
		t.Errorf("a queue without the right to receive: %v", err)
	}
	disk := newDisk(t, 100)
	if _, err := n.Bind(disk.all, "disk", 1); !errors.As(err, &rights) {
		t.Errorf("a capability of another space: %v", err)
	}

	q, err := n.Bind(child, "child", 1)
	if err != nil {
		t.Fatal(err)
	}
	f := claim(t, q, all(t), 0)
	part, err := disk.all.Derive("child", 10, 19, exo.Read|exo.Bind)
	if err != nil {
		t.Fatal(err)
	}
	e, err := disk.Bind(part, "child", 10, 20, exo.Read)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.CheckWrite(10, 1); !errors.As(err, &rights) || rights.Want != exo.Write {
		t.Errorf("writing what may be read: %v", err)
	}
	if _, err := disk.Bind(part, "child", 10, 20, exo.Read|exo.Write); !errors.As(err, &rights) {
		t.Errorf("an extent to be written from a capability to read: %v", err)
	}
	for _, c := range []exo.Cap{n.all, disk.all} {
		if err := c.Revoke(); err != nil {
			t.Fatal(err)
		}
	}
	if q, ok := n.Steer(nil); ok {
		t.Errorf("a packet goes to queue %d, which was taken back", q)
	}
	_, late := q.Claim(all(t), 0)
	for what, err := range map[string]error{"claim": late, "Flow.Release": f.Release(), "Queue.Release": q.Release(), "CheckRead": e.CheckRead(10, 1), "Extent.Release": e.Release()} {
		var revoked *exo.RevokedError
		if !errors.As(err, &revoked) {
			t.Errorf("%s after it was taken back: %v", what, err)
		}
	}
	claim(t, take(t, n, "parent", 1), all(t), 0)
	disk.take(t, "parent", 0, 100)
}

// Random claims and releases against a list: no packet is ever accepted by two flows of one rank, each packet goes where running all filters says,
// and what is refused with a witness really is in the way.
func TestFlowsAgainstOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	n := newNIC(t, 4)
	var queues [4]*Queue
	for i := range queues {
		queues[i] = take(t, n, "q", i)
	}
	var held []*Flow
	accepts := func(f *Flow, p []byte) bool { return f.entry.Program.Match(p) }
	refused, claimed := 0, 0
	for range 3000 {
		switch r.IntN(8) {
		case 0:
			if len(held) > 0 {
				i := r.IntN(len(held))
				if err := held[i].Release(); err != nil {
					t.Fatal(err)
				}
				held = slices.Delete(held, i, i+1)
			}
		case 1:
			if r.IntN(20) == 0 {
				i := r.IntN(len(queues))
				if err := queues[i].Release(); err != nil {
					t.Fatal(err)
				}
				held = slices.DeleteFunc(held, func(f *Flow) bool { return f.queue == queues[i] })
				queues[i] = take(t, n, "q", i)
			}
		default:
			mask := []uint16{0xffff, 0xf, 0xff00, 3}[r.IntN(4)]
			f, err := queues[r.IntN(len(queues))].Claim(word(t, uint32(2*r.IntN(2)), mask, uint16(r.IntN(0x400))&mask), uint32(r.IntN(3)))
			var overlap *OverlapError
			switch {
			case err == nil:
				held = append(held, f)
				claimed++
			case !errors.As(err, &overlap) || overlap.Witness == nil:
				t.Fatal(err)
			default:
				refused++
				if !slices.ContainsFunc(held, func(f *Flow) bool { return f.entry.Rank == overlap.Rank && accepts(f, overlap.Witness) }) {
					t.Fatalf("%v, but nobody has %x", err, overlap.Witness)
				}
			}
		}
		for range 10 {
			p := packet(uint16(r.IntN(0x400)), uint16(r.IntN(0x400)))
			best := -1
			var rank uint32
			for _, f := range held {
				if !accepts(f, p) {
					continue
				}
				if best >= 0 && f.entry.Rank == rank {
					t.Fatalf("%x is accepted by two flows of rank %d", p, rank)
				}
				if best < 0 || f.entry.Rank < rank {
					best, rank = int(f.entry.Tag), f.entry.Rank
				}
			}
			if got, ok := n.Steer(p); ok != (best >= 0) || ok && got != best {
				t.Fatalf("%x goes to %d (%v), want %d", p, got, ok, best)
			}
		}
	}
	t.Logf("%d claimed, %d refused", claimed, refused)
	if claimed < 100 || refused < 100 {
		t.Error("the claims are too much alike to show anything")
	}
}

// Many claim the same at once: one has it. Meanwhile packets are steered.
func TestClaimsAtOnce(t *testing.T) {
	n := newNIC(t, 8)
	p := all(t)
	stop := make(chan struct{})
	var steering, claiming sync.WaitGroup
	steering.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if q, ok := n.Steer(nil); ok && (q < 0 || q > 7) {
					t.Errorf("queue %d", q)
				}
			}
		}
	})
	var owner sync.Mutex // held while a flow is
	for i := range 8 {
		q := take(t, n, "q", i)
		claiming.Go(func() {
			for range 100 {
				f, err := q.Claim(p, 0)
				if err != nil {
					continue
				}
				if !owner.TryLock() {
					t.Error("two have the same packets")
					return
				}
				runtime.Gosched()
				owner.Unlock()
				if err := f.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	claiming.Wait()
	close(stop)
	steering.Wait()
}

func TestUseAllocatesNothing(t *testing.T) {
	n := newNIC(t, 1)
	claim(t, take(t, n, "q", 0), word(t, 0, 0xffff, 80), 0)
	e := newDisk(t, 100).take(t, "log", 10, 20)
	p := packet(80)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := n.Steer(p); !ok {
			t.Error("not steered")
		}
		if err := errors.Join(e.CheckRead(12, 3), e.CheckWrite(19, 1)); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkClaim is a claim beside 1000 flows, and its release.
func BenchmarkClaim1000(b *testing.B) {
	n := newNIC(b, 1)
	q := take(b, n, "q", 0)
	for i := range 1000 {
		claim(b, q, word(b, 0, 0xffff, uint16(i)), 0)
	}
	p := word(b, 0, 0xffff, 1000)
	for b.Loop() {
		if err := claim(b, q, p, 0).Release(); err != nil {
			b.Fatal(err)
		}
	}
}
