// Command bad brings a policy of its own that takes turns, and breaks the rule that its argument names.
package main

import (
	"os"
	"runtime"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
)

type policy struct {
	ready sched.Queue
	rests *sched.Task     // of the goroutine that waits for ever
	cpu   [64]*sched.Task // what each CPU runs
	picks int
}

var (
	how  string
	sink []byte
	fake = sched.NewTask(sched.Default)
)

func init() {
	if len(os.Args) > 1 {
		how = os.Args[1]
	}
	sched.Register(new(policy))
}

func (*policy) Name() string                              { return "bad" }
func (*policy) Admit(*sched.Class, sched.Contract) string { return "" }
func (p *policy) Charge(cpu int, t *sched.Task, _ int64)  { p.cpu[cpu] = nil }
func (p *policy) Enqueue(cpu int, t *sched.Task, why sched.Why, now int64) int {
	if c := t.Class(); c != sched.Default && c != sched.System {
		p.rests = t
	}
	p.ready.Push(t)
	return -1
}

func (p *policy) Pick(cpu int, now int64) (*sched.Task, int64) {
	if p.picks++; p.picks > 500 {
		switch how {
		case "invents":
			return fake, 0
		case "copies":
			*fake = *p.rests
			return fake, 0
		case "repeats":
			return p.rests, 0
		case "doubles":
			for _, t := range p.cpu {
				if t != nil {
					return t, 0
				}
			}
		case "keeps":
			return nil, 0
		case "allocates":
			sink = make([]byte, 100)
		case "indexes":
			_ = sink[p.picks]
		case "blocks":
			<-make(chan int)
		}
	}
	t := p.ready.Pop()
	p.cpu[cpu] = t
	return t, now + 5_000_000
}

func main() {
	c, err := sched.NewClass(sched.Contract{Name: "resting"})
	if err != nil {
		panic(err)
	}
	sched.Go(c, func() { select {} })
	for range 4 {
		go func() {
			for {
				runtime.Gosched()
			}
		}()
	}
	if how == "well" {
		time.Sleep(200 * time.Millisecond)
	} else {
		time.Sleep(30 * time.Second) // the host may be slow
	}
	println("well behaved")
}
