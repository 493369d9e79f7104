// Command quantum has three classes hold slices of CPU 0 beside a loop that holds none, and prints what each had, in hundredths of the CPU, as they are held, donated,
// taken back and revoked; then what a class has that another yields to.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
	"github.com/hardtack-os/hardtack/libos/sched/quantum"
)

func check[T any](v T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return v
}

var sink []byte

func main() {
	cpu := check(quantum.CPU(0))
	var classes []*sched.Class
	for i := range 3 {
		c := check(sched.NewClass(sched.Contract{Name: fmt.Sprint("c", i)}))
		classes = append(classes, c)
		sched.Go(c, func() {
			for {
			}
		})
	}
	go func() {
		for {
		}
	}()
	classes = append(classes, sched.Default)
	report := func(what string) {
		time.Sleep(50 * time.Millisecond)
		var from [4]time.Duration
		for i, c := range classes {
			from[i] = c.Used()
		}
		const took = 400 * time.Millisecond // whole wheels
		start := time.Now()
		time.Sleep(took)
		all := time.Since(start)
		for i, c := range classes {
			fmt.Printf("RESULT %s%d %.2f %%\n", what, i, 100*float64(c.Used()-from[i])/float64(all))
		}
	}
	hold := func(i, lo, hi int) *quantum.Held {
		return check(quantum.Hold(cpu, classes[i], quantum.Name(0, lo), quantum.Name(0, hi)))
	}
	a, _, _ := hold(0, 0, 49), hold(1, 50, 79), hold(2, 80, 89)
	_, err := quantum.Hold(cpu, classes[2], quantum.Name(0, 40), quantum.Name(0, 40))
	fmt.Println("refused:", err)
	report("held")
	check(0, a.Donate(classes[2]))
	report("donated")
	check(0, a.Donate(nil))
	report("back")
	check(0, cpu.RevokeRange(quantum.Name(0, 50), quantum.Name(0, 50)))
	report("revoked")

	// c3 has no slice, and what another class leaves it of its own.
	giver := check(sched.NewClass(sched.Contract{Name: "giver"}))
	taker := check(sched.NewClass(sched.Contract{Name: "taker"}))
	check(quantum.Hold(cpu, giver, quantum.Name(0, 50), quantum.Name(0, 69)))
	check(quantum.Hold(cpu, taker, quantum.Name(0, 70), quantum.Name(0, 70)))
	sched.Go(giver, func() {
		for {
			for start := time.Now(); time.Since(start) < 500*time.Microsecond; {
			}
			quantum.YieldTo(taker)
		}
	})
	sched.Go(taker, func() {
		for {
		}
	})
	classes = []*sched.Class{giver, taker, classes[0], classes[2]}
	report("yielded")
	os.Exit(0)
}
