// Command bench measures Hardtack's promises: each row of its table is one figure of an image, beside the same
// Go program in a Linux guest on the same QEMU machine in the same run, and what is to be reached.
//
//	go run ./ci/bench                # every row; writes ci/bench/RESULTS.md
//	go run ./ci/bench -row sleep     # the rows whose name matches; writes standard output only
//
// Two kinds of figure count, since this may run on any machine: ratios of times taken side by side, and counts of
// instructions, which repeat. A row that cannot be measured says why, and the exit status is 1. Whether
// promises are met does not change the exit status.
//
// To add a row, write a file row_NAME.go and list it in rows.go. Programs that run in both guests are in guest/.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/report"
)

func main() {
	pattern := flag.String("row", "", "measure only the rows whose name matches this `regexp`")
	list := flag.Bool("list", false, "list the rows' names and stop")
	b := new(Bench)
	flag.IntVar(&b.N, "n", 5, "`times` to repeat what is measured by a clock")
	flag.BoolVar(&b.WithLinux, "linux", true, "measure the Linux guest too")
	flag.StringVar(&b.mkimage, "mkimage", "", "build images with this `program` instead of the tree's own cmd/mkimage")
	flag.Parse()
	if *list {
		for _, r := range rows {
			fmt.Printf("%-16s %s\n", r.Name, r.What)
		}
		return
	}
	chosen, err := regexp.Compile(*pattern)
	if err != nil || flag.NArg() > 0 || b.N < 1 {
		fmt.Fprintln(os.Stderr, "bench: it takes no arguments, -row a regexp and -n a number above 0; see -help")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err = run(ctx, b, chosen, *pattern == "" && b.WithLinux)
	stop()
	b.close()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the chosen rows and writes the table, to a file as well if keep is set.
func run(ctx context.Context, b *Bench, chosen *regexp.Regexp, keep bool) error {
	if err := b.open(ctx); err != nil {
		return err
	}
	var lines []report.Line
	failed := 0
	for _, r := range rows {
		if !chosen.MatchString(r.Name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s ...", r.Name)
		began := time.Now()
		f := r.Measure(ctx, b)
		fmt.Fprintf(os.Stderr, " %.1fs\n", time.Since(began).Seconds())
		line, ok := r.line(f, b.clean)
		if !ok {
			failed++
		}
		lines = append(lines, line)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("no row's name matches; -list shows them all")
	}
	facts := b.facts(ctx)
	if err := report.Write(os.Stdout, facts, lines); err != nil {
		return err
	}
	if keep {
		if err := writeFile(filepath.Join(b.Root, "ci", "bench", "RESULTS.md"), facts, lines); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d rows could not be measured completely", failed, len(lines))
	}
	return nil
}

func writeFile(name string, facts []string, lines []report.Line) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := report.Write(f, facts, lines); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
