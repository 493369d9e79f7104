package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

const (
	hostedReach = 3
	hostedRuns  = 3 // times -n
)

// hostedRow has ci/peer's benchmarks send bytes from one of our stacks to another, and from one of gVisor's to another, in memory on one CPU of the host.
var hostedRow = Row{
	Name:  "net-hosted",
	What:  "TCP in memory, frames of 1500 bytes, both ends on one CPU of the host: MB a second, against gVisor's netstack",
	Reach: fmt.Sprintf("%d times gVisor's", hostedReach),
	Measure: func(ctx context.Context, b *Bench) Figures {
		out, err := command(ctx, filepath.Join(b.Root, "ci/peer"), []string{"GOWORK=off", "GOMAXPROCS=1"}, "go", "test", "-run", "^$", "-bench", ".", "-count", strconv.Itoa(hostedRuns*b.N), ".")
		if err != nil {
			return failed(err)
		}
		ours, err := rates(out, "Ours")
		if err != nil {
			return failed(err)
		}
		theirs, err := rates(out, "Netstack")
		if err != nil {
			return failed(err)
		}
		ratio := ours / theirs
		return Figures{Ours: Figure{Text: fmt.Sprintf("%.2f times; %.0f MB/s, gVisor %.0f", ratio, ours, theirs)}, Met: ratio >= hostedReach}
	},
}

// rates gives the median of the rates that go test reports of a benchmark.
func rates(out, name string) (float64, error) {
	var all []float64
	for _, m := range regexp.MustCompile(`(?m)^Benchmark`+name+`\S*\s.*?([0-9.]+) MB/s`).FindAllStringSubmatch(out, -1) {
		x, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, err
		}
		all = append(all, x)
	}
	if len(all) == 0 {
		return 0, fmt.Errorf("no rate of %s in %q", name, out)
	}
	return stat.Median(all), nil
}
