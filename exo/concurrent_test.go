//go:build !hardtack

package exo

import (
	"sync"
	"testing"
)

// Drivers take a function, a line, a vector, a CPU, registers and frames from domains of their own, bind them to each other and use
// them, while their domains are revoked, asked for names and closed. Nobody deadlocks; afterwards everything is free.
func TestConcurrentDrivers(t *testing.T) {
	m, _ := testFunction(t, true)
	m.APICIDs = []uint32{0, 1, 2, 3}
	m.Map(0xd8000000, 0x1000, new(quietWords))
	id := uint64(functionID(2, 2, 0))
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	driver := func(d *Domain, g uint64) {
		defer func() {
			if e := recover(); e != nil {
				if _, ok := e.(*RevokedError); !ok {
					panic(e)
				}
			}
		}()
		v, err := d.TakeVector("driver")
		if err != nil {
			return
		}
		cpu, _ := d.TakeCPU("driver", int(g))
		l, err := d.TakeLine("driver", GSI(4+g), false)
		if err == nil {
			l.Bind(v, cpu)
		}
		if f, err := d.TakeFunction("driver", FunctionID(id)); err == nil {
			f.Bind(0, v, cpu)
			f.Enable()
			if r, err := f.BAR("driver", 0); err == nil {
				r.Load32(0)
			}
			f.Mask(0)
			f.Load32(0)
		}
		if r, err := d.TakeMMIO("driver", Phys(0xd8000000+0x100*g), 0x100); err == nil {
			for range 20 {
				r.Store32(8, r.Load32(4))
			}
		}
		if f, err := d.TakeFrames("driver", 1, 0); err == nil {
			f.Bytes()
		}
		for {
			if _, err := v.Wait(Now() + 1e9); err != nil {
				return
			}
		}
	}
	for range rounds {
		var drivers, owners sync.WaitGroup
		for g := range uint64(4) {
			d, err := Root().Sub("d", Grant{VectorSpace, 100 + 2*g, 101 + 2*g, All, 0}, Grant{CPUSpace, g, g, All, 0}, Grant{LineSpace, 4 + g, 4 + g, All, 0},
				Grant{MMIOSpace, 0xd8000000 + 0x100*g, 0xd80000ff + 0x100*g, All, 0})
			if err != nil {
				t.Fatal(err)
			}
			Root().Extend(d, FrameSpace, 2, 1, All)
			if g == 0 {
				c, err := Root().Caps(FunctionSpace)[0].Derive("d", id, id, All)
				if err != nil {
					t.Fatal(err)
				}
				d.Add(c)
			}
			drivers.Go(func() { driver(d, g) })
			owners.Go(func() {
				Root().Reclaim(d, FrameSpace, Demand{Names: 1, Deadline: Now() + 1e6})
				Root().Reclaim(d, CPUSpace, Demand{Names: 1})
				if g%2 == 0 {
					Root().Revoke(d)
				} else {
					d.Release()
				}
			})
		}
		owners.Wait()
		drivers.Wait()
	}
	for space := range spaceCount {
		c := theWorld.root(space)
		consistent(t, c.n)
		if len(c.n.below) != 0 {
			t.Errorf("%s: %d capabilities are left", c.Space(), len(c.n.below))
		}
	}
	if m.FramesUsed() != 0 || m.VectorsUsed() != 0 || len(theWorld.routes.list) != 0 {
		t.Errorf("%d frames, %d vectors, %d routes are left", m.FramesUsed(), m.VectorsUsed(), len(theWorld.routes.list))
	}
}

// quietWords is words for several goroutines.
type quietWords struct {
	mu sync.Mutex
	words
}

func (w *quietWords) Load(off uintptr, width int) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.words.Load(off, width)
}

func (w *quietWords) Store(off uintptr, width int, v uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words.Store(off, width, v)
}
