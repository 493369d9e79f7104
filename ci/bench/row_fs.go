package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

// fsLimit is how long a guest may take for its part.
const fsLimit = 10 * time.Minute

const (
	filesProgram    = "ci/bench/guest/files"
	rawProgram      = "ci/bench/guest/rawdisk"
	databaseProgram = "ci/bench/guest/databases"
)

// figures are what one turn of a row found, by name.
type figures map[string]float64

// run boots a guest, which does parts of its program, and adds the results that are named, in the given unit, to f.
func (f figures) run(ctx context.Context, g *Guest, disk, phase, unit string, names ...string) error {
	lines, err := g.phase(phase).Run(ctx, diskMachine(disk), fsLimit)
	if err != nil {
		return fmt.Errorf("%s: %w", phase, err)
	}
	for _, n := range names {
		if f[n], err = stat.Find(lines, n, unit); err != nil {
			return err
		}
	}
	return nil
}

// requests boots a guest and returns what it has asked of the disk when it is done with a part of its program, and its console. It is killed then.
func requests(ctx context.Context, g *Guest, disk, phase string) (n qemu.Requests, lines []string, err error) {
	p, err := g.phase(phase).Boot(ctx, diskMachine(disk), fsLimit)
	if err != nil {
		return n, nil, err
	}
	defer p.Close()
	m, err := p.Monitor()
	if err != nil {
		return n, nil, err
	}
	defer m.Close()
	if _, err := p.WaitLine("done"); err != nil {
		return n, nil, err
	}
	for _, l := range p.Lines() {
		lines = append(lines, l.Text)
	}
	n, err = m.DiskRequests()
	return n, lines, err
}

// middle is the median of a figure over a guest's turns.
func middle(s Side[[]figures], name string) float64 {
	var v []float64
	for _, f := range s.Value {
		v = append(v, f[name])
	}
	if len(v) == 0 {
		return 0
	}
	return stat.Median(v)
}

// A want is one figure of a row and its promise: ours is better by so many times.
type want struct {
	name  string
	unit  string
	times float64
	less  bool // the less the better
}

// judgeFS compares the medians of all that is wanted.
func judgeFS(ours, linux Side[[]figures], list ...want) Figures {
	text := func(s Side[[]figures]) func([]figures) string {
		return func([]figures) string {
			var parts []string
			for _, w := range list {
				parts = append(parts, fmt.Sprintf("%s %.4g %s", w.name, middle(s, w.name), w.unit))
			}
			return strings.Join(parts, ", ")
		}
	}
	f := Figures{Ours: ours.figure(text(ours)), Linux: linux.figure(text(linux))}
	if ours.Err != nil || linux.Err != nil || linux.Left {
		f.Unjudged = true
		return f
	}
	f.Met = true
	var times []string
	for _, w := range list {
		if w.times == 0 {
			continue
		}
		o, l := middle(ours, w.name), middle(linux, w.name)
		if w.less {
			o, l = l, o
		}
		f.Met = f.Met && o >= l*w.times
		times = append(times, fmt.Sprintf("%.2f", o/l))
	}
	f.Ours.Text = strings.Join(times, ", ") + " times; " + f.Ours.Text
	return f
}

// fsRow is a row in which both guests do what measure says, each with an empty disk.
func fsRow(name, what, reach, program string, measure func(ctx context.Context, g *Guest, disk string) (figures, error), list ...want) Row {
	return Row{Name: name, What: what, Reach: reach, Measure: func(ctx context.Context, b *Bench) Figures {
		ours, linux := onDisk(ctx, b, program, func(g *Guest, disk string) (figures, error) { return measure(ctx, g, disk) })
		return judgeFS(ours, linux, list...)
	}}
}

// Each part is done by a machine that was just booted: what the one before had in memory is gone.
func smallFiles(ctx context.Context, g *Guest, disk string) (figures, error) {
	f, g := figures{}, g.mounted()
	if err := f.run(ctx, g, disk, "create", "ms", "create"); err != nil {
		return f, err
	}
	return f, f.run(ctx, g, disk, "read,delete", "ms", "read", "delete")
}

func coldDirectory(ctx context.Context, g *Guest, disk string) (figures, error) {
	f, g := figures{}, g.mounted()
	if err := f.run(ctx, g, disk, "create", "ms", "create"); err != nil {
		return f, err
	}
	none, _, err := requests(ctx, g, disk, "none")
	if err != nil {
		return f, err
	}
	all, _, err := requests(ctx, g, disk, "one")
	f["requests"] = float64(all.Reads - none.Reads)
	return f, err
}

func bigFile(ctx context.Context, g *Guest, disk string) (figures, error) {
	f, g := figures{}, g.mounted()
	if err := f.run(ctx, g, disk, "write-big", "MB/s", "write"); err != nil {
		return f, err
	}
	return f, f.run(ctx, g, disk, "read-big", "MB/s", "read")
}

func rawDisk(ctx context.Context, g *Guest, disk string) (figures, error) {
	f := figures{}
	return f, f.run(ctx, g, disk, "raw", "MB/s", "write", "read")
}

// depths are how many reads the random row has under way at a time.
var depths = []int{1, 2, 4, 8, 16, 32}

func randomReads(ctx context.Context, g *Guest, disk string) (figures, error) {
	f, g := figures{}, g.mounted()
	if err := f.run(ctx, g, disk, "write-big", "MB/s"); err != nil {
		return f, err
	}
	var names []string
	for _, d := range depths {
		names = append(names, "depth"+strconv.Itoa(d))
	}
	return f, f.run(ctx, g, disk, "random", "/s", names...)
}

func opens(ctx context.Context, g *Guest, disk string) (figures, error) {
	f := figures{}
	m := diskMachine(disk)
	m.Clock = qemu.IdleClock // the disk answers in the host's time
	lines, err := g.mounted().phase("open").Run(ctx, m, fsLimit)
	if err == nil {
		f["open"], err = stat.Find(lines, "open", "instructions")
	}
	return f, err
}

// crashed makes what a crash leaves, for the row below.
func crashed(ctx context.Context, g *Guest, disk string) error {
	_, _, err := requests(ctx, g.mounted(), disk, "crash")
	return err
}

// mountRow measures two programs, so it takes its turns itself.
var mountRow = Row{
	Name: "fs-mount", What: "mount after a crash, 100 000 files, in the guest's time", Reach: "below 100 ms",
	Measure: func(ctx context.Context, b *Bench) Figures {
		ours, linux := onDisk(ctx, b, filesProgram, func(g *Guest, disk string) (figures, error) {
			f := figures{}
			if err := crashed(ctx, g, disk); err != nil {
				return f, err
			}
			build := b.DiskImage
			if g.Linux() {
				build = b.DeviceLinux
			}
			h, err := build(ctx, rawProgram)
			if err != nil {
				return f, err
			}
			return f, f.run(ctx, h, disk, "mount", "ms", "mount")
		})
		f := judgeFS(ours, linux, want{name: "mount", unit: "ms", less: true})
		f.Ours.Text = strings.TrimPrefix(f.Ours.Text, " times; ")
		f.Met = ours.Err == nil && middle(ours, "mount") < 100
		f.Unjudged = ours.Err != nil
		return f
	},
}

// database runs one database, and counts what it asks of the disk, the mount included.
func database(phase string) func(ctx context.Context, g *Guest, disk string) (figures, error) {
	return func(ctx context.Context, g *Guest, disk string) (figures, error) {
		n, lines, err := requests(ctx, g.mounted(), disk, phase)
		if err != nil {
			return nil, err
		}
		took, err := stat.Find(lines, phase, "ms")
		return figures{phase: took, "reads": float64(n.Reads), "writes": float64(n.Writes), "flushes": float64(n.Flushes)}, err
	}
}

// databaseRow is the row of one database.
func databaseRow(name, what, phase string) Row {
	return fsRow(name, what, "1.5 times", databaseProgram, database(phase),
		want{phase, "ms", 1.5, true}, want{name: "reads"}, want{name: "writes"}, want{name: "flushes"})
}

// fsRows are the filesystem's lines.
func fsRows() []Row {
	random := []want{}
	for _, d := range depths {
		random = append(random, want{name: "depth" + strconv.Itoa(d), unit: "/s"})
	}
	random[len(random)-1].times = 2
	return []Row{
		fsRow("fs-small", "10 000 files of 4 KiB in 100 directories: create and sync, read after a boot, delete and sync", "3 times each", filesProgram, smallFiles,
			want{"create", "ms", 3, true}, want{"read", "ms", 3, true}, want{"delete", "ms", 3, true}),
		fsRow("fs-cold", "disk requests to read 100 files of 4 KiB of one directory after a boot", "at most 1/5", filesProgram, coldDirectory,
			want{"requests", "", 5, true}),
		fsRow("fs-big", "1 GiB: write in order and fsync, read in order after a boot", "1.5 times each", filesProgram, bigFile,
			want{"write", "MB/s", 1.5, false}, want{"read", "MB/s", 1.5, false}),
		fsRow("fs-raw", "1 GiB of the disk itself, written and flushed, read: pieces of 256 KiB, 16 at a time; on Linux past its cache", "fs-big within 10% of ours", rawProgram, rawDisk,
			want{"write", "MB/s", 0, false}, want{"read", "MB/s", 0, false}),
		fsRow("fs-random", "random reads of 4 KiB of a file of 1 GiB, so many at a time: reads a second", "2 times at 32", filesProgram, randomReads, random...),
		fsRow("fs-open", "open, stat and close of a file (icount)", "at most 1/5", filesProgram, opens,
			want{"open", "instructions", 5, true}),
		databaseRow("fs-bolt", "bbolt: 1000 transactions of one key, and the disk's requests", "bolt"),
		databaseRow("fs-sqlite", "SQLite, as it is by itself: 10 000 inserts in 100 transactions, and the disk's requests", "delete"),
		databaseRow("fs-sqlite-wal", "SQLite with a write-ahead log: the same", "wal"),
		netRow{
			Name: "fs-http", what: "http.FileServer, 8 files of 1 MiB in memory, by wrk over 16 connections, 1 CPU: requests a second, p99, QEMU's CPU time a request",
			program: "ci/bench/guest/fileserver", unit: "/s", cpus: 1, reach: 2, warm: true, disk: true, drive: wrkFiles,
		}.row(),
		mountRow,
	}
}
