// Command shares runs CPU-bound goroutines of classes with 3, 2 and 1 hundred tickets for a while and prints what share of the CPUs'
// time each class had, in thousandths.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
)

func main() {
	ms := 5000
	if len(os.Args) > 1 {
		ms, _ = strconv.Atoi(os.Args[1])
	}
	var list []*sched.Class
	for i, tickets := range []int{300, 200, 100} {
		c, err := sched.NewClass(sched.Contract{Name: fmt.Sprint("c", i), Tickets: tickets})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		list = append(list, c)
	}
	var stop atomic.Bool
	for _, c := range list {
		sched.Go(c, func() {
			for !stop.Load() {
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	var from [3]time.Duration
	for i, c := range list {
		from[i] = c.Used()
	}
	start := time.Now()
	time.Sleep(time.Duration(ms) * time.Millisecond)
	took := time.Since(start)
	var sum time.Duration
	var used [3]time.Duration
	for i, c := range list {
		used[i] = c.Used() - from[i]
		sum += used[i]
	}
	stop.Store(true)
	for i := range list {
		fmt.Printf("RESULT share%d %.2f %%\n", i, 100*float64(used[i])/float64(max(sum, 1)))
	}
	all := took * time.Duration(runtime.GOMAXPROCS(0))
	fmt.Printf("RESULT used %.2f %%\n", 100*float64(sum)/float64(all))
}
