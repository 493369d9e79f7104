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

// netLimit is how long one guest may take to serve its load.
const netLimit = 3 * time.Minute

// A Load is what a client saw of a server.
type Load struct {
	Rate float64       // of what the row counts, a second
	P99  time.Duration // of the latencies; 0 where there are none
	CPU  time.Duration // QEMU's CPU time for one of what the row counts
}

// A netRow has a client at the host's end of the wire put load on a program, guest/web as a rule, in both guests. They take turns, each fresh for each turn.
type netRow struct {
	Name, what string
	program    string // in both guests; "": guest/web
	unit       string // of Rate
	cpus       int
	reach      float64 // Linux's rate times this
	all        bool    // p99 and CPU time must be better by as much as well
	disk       bool    // the guests have a filesystem at /data
	warm       bool    // the first load is not counted: QEMU translates the code during it

	drive func(context.Context, *Bench, *Wire) (Load, error)
}

// row is the table's line.
func (r netRow) row() Row {
	reach := fmt.Sprintf("%g times", r.reach)
	if r.all {
		reach += ", p99 and CPU time better by as much"
	}
	return Row{Name: r.Name, What: r.what, Reach: reach, Measure: r.measure}
}

func (r netRow) measure(ctx context.Context, b *Bench) Figures {
	wire, err := NewWire(ctx, r.cpus)
	if err != nil {
		return failed(err)
	}
	defer wire.Close()
	program := r.program
	if program == "" {
		program = "ci/bench/guest/web"
	}
	same := func(g *Guest) (*Guest, error) { return g, nil }
	image, linux := side(ctx, program, func(ctx context.Context, pkg string) (*Guest, error) {
		if r.disk {
			return b.NetImage(ctx, pkg, volumesModule)
		}
		return b.NetImage(ctx, pkg)
	}, same), Side[*Guest]{Left: true}
	if b.WithLinux {
		linux = side(ctx, program, b.NetLinux, same)
	}
	var ours, theirs []Load
	for range b.N {
		ours = r.turn(ctx, b, &image, wire, ours)
		theirs = r.turn(ctx, b, &linux, wire, theirs)
	}
	return r.judge(image, linux, ours, theirs)
}

// turn lets a guest serve once more, unless it has failed or is left out.
func (r netRow) turn(ctx context.Context, b *Bench, g *Side[*Guest], wire *Wire, loads []Load) []Load {
	if g.Left || g.Err != nil {
		return loads
	}
	l, err := r.serve(ctx, b, g.Value, wire)
	if g.Err = err; err != nil {
		return loads
	}
	return append(loads, l)
}

// serve boots the guest and returns what the load saw of it.
func (r netRow) serve(ctx context.Context, b *Bench, g *Guest, wire *Wire) (Load, error) {
	m := qemu.Machine{CPUs: r.cpus, Tap: &wire.Tap, MemoryKiB: linuxMemory}
	if r.disk {
		disk, err := b.NewDisk(ctx, g.Linux())
		if err != nil {
			return Load{}, err
		}
		m.Disk, m.MemoryKiB = disk, diskMemory
		g = g.mounted()
	}
	p, err := g.Boot(ctx, m, netLimit)
	if err != nil {
		return Load{}, err
	}
	defer p.Close()
	if _, err := p.WaitLine("ready"); err != nil {
		return Load{}, err
	}
	if r.warm {
		if _, err := r.drive(ctx, b, wire); err != nil {
			return Load{}, fmt.Errorf("warming up: %w", err)
		}
	}
	before, err := p.CPUTime()
	if err != nil {
		return Load{}, err
	}
	began := time.Now()
	l, err := r.drive(ctx, b, wire)
	if err != nil {
		return Load{}, err
	}
	took := time.Since(began)
	after, err := p.CPUTime()
	if err != nil {
		return Load{}, err
	}
	l.CPU = time.Duration(float64(after-before) / (l.Rate * took.Seconds()))
	return l, nil
}

// judge compares medians.
func (r netRow) judge(image, linux Side[*Guest], ours, theirs []Load) Figures {
	o, l := median(image, ours), median(linux, theirs)
	text := func(l Load) string {
		s := fmt.Sprintf("%.0f %s", l.Rate, r.unit)
		if l.P99 > 0 {
			s += fmt.Sprintf(", %.2f ms", float64(l.P99)/1e6)
		}
		return s + fmt.Sprintf(", %.1f µs", float64(l.CPU)/1e3)
	}
	f := Figures{Ours: o.figure(text), Linux: l.figure(text)}
	if o.Err != nil || l.Err != nil || l.Left {
		f.Unjudged = true
		return f
	}
	ratios := []float64{o.Value.Rate / l.Value.Rate}
	if o.Value.P99 > 0 {
		ratios = append(ratios, float64(l.Value.P99)/float64(o.Value.P99))
	}
	ratios = append(ratios, float64(l.Value.CPU)/float64(o.Value.CPU))
	f.Met = true
	var better []string
	for i, x := range ratios {
		f.Met = f.Met && (x >= r.reach || i > 0 && !r.all)
		better = append(better, fmt.Sprintf("%.2f", x))
	}
	f.Ours.Text = strings.Join(better, ", ") + " times; " + f.Ours.Text
	return f
}

// median is the median of each figure, over a guest's turns.
func median(g Side[*Guest], loads []Load) Side[Load] {
	m := Side[Load]{Err: g.Err, Left: g.Left}
	if len(loads) == 0 || m.Err != nil {
		return m
	}
	var rate []float64
	var p99, cpu []time.Duration
	for _, l := range loads {
		rate, p99, cpu = append(rate, l.Rate), append(p99, l.P99), append(cpu, l.CPU)
	}
	m.Value = Load{stat.Median(rate), stat.Median(p99), stat.Median(cpu)}
	return m
}

// wrk has wrk ask for the short page over so many connections.
func wrk(connections int, headers ...string) func(context.Context, *Bench, *Wire) (Load, error) {
	return func(ctx context.Context, _ *Bench, w *Wire) (Load, error) {
		args := []string{"wrk", "-t1", fmt.Sprintf("-c%d", connections), "-d4s", "--timeout", "10s", "--latency"}
		for _, h := range headers {
			args = append(args, "-H", h)
		}
		out, err := w.Command(ctx, append(args, "http://"+guestHost+"/")...)
		if err != nil {
			return Load{}, err
		}
		return parseWrk(out)
	}
}

// wrkFiles has wrk ask for files of 1 MiB, all of the same one.
func wrkFiles(ctx context.Context, _ *Bench, w *Wire) (Load, error) {
	out, err := w.Command(ctx, "wrk", "-t1", "-c16", "-d4s", "--timeout", "10s", "--latency", "http://"+guestHost+"/5")
	if err != nil {
		return Load{}, err
	}
	return parseWrk(out)
}

// curl has curl move so many bytes, and returns bytes a second.
func curl(args ...string) func(context.Context, *Bench, *Wire) (Load, error) {
	return func(ctx context.Context, _ *Bench, w *Wire) (Load, error) {
		out, err := w.Command(ctx, append([]string{"curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--write-out", "%{time_total} %{size_download} %{size_upload}"}, args...)...)
		if err != nil {
			return Load{}, err
		}
		var seconds, down, up float64
		if _, err := fmt.Sscan(out, &seconds, &down, &up); err != nil || seconds <= 0 || down+up < 1 {
			return Load{}, fmt.Errorf("curl reports %q", out)
		}
		return Load{Rate: (down + up) / seconds / 1e6}, nil
	}
}

// sendZeros has curl put so many MiB, from a file without blocks.
func sendZeros(mib int) func(context.Context, *Bench, *Wire) (Load, error) {
	return func(ctx context.Context, b *Bench, w *Wire) (Load, error) {
		file := b.file("zeros", strconv.Itoa(mib))
		if _, err := command(ctx, ".", nil, "truncate", "--size", fmt.Sprintf("%dM", mib), file); err != nil {
			return Load{}, err
		}
		return curl("--header", "Expect:", "--upload-file", file, "http://"+guestHost+"/bytes")(ctx, b, w)
	}
}

// datagrams has udpload send and wait for echoes.
func datagrams(ctx context.Context, b *Bench, w *Wire) (Load, error) {
	program, err := b.Program(ctx, "ci/bench/udpload")
	if err != nil {
		return Load{}, err
	}
	out, err := w.Command(ctx, program, guestHost+":7")
	if err != nil {
		return Load{}, err
	}
	rate, err := stat.Find(strings.Split(out, "\n"), "echoes", "/s")
	return Load{Rate: rate}, err
}

// httpRow has wrk ask for the short page over so many kept connections.
func httpRow(name string, connections, cpus int) Row {
	return netRow{
		Name: name,
		what: fmt.Sprintf("net/http hello over %d kept connections, %d CPU(s): requests a second, p99, QEMU's CPU time a request", connections, cpus),
		unit: "/s", cpus: cpus, reach: 2, all: true, warm: true, drive: wrk(connections),
	}.row()
}

// netRows are the network's lines.
func netRows() []Row {
	return []Row{
		httpRow("net-http-16-1", 16, 1),
		httpRow("net-http-128-1", 128, 1),
		httpRow("net-http-16-2", 16, 2),
		httpRow("net-http-128-2", 128, 2),
		netRow{
			Name: "net-connect", what: "net/http hello, a connection a request, 16 at a time, 1 CPU: requests a second, p99, QEMU's CPU time a request",
			unit: "/s", cpus: 1, reach: 2, warm: true, drive: wrk(16, "Connection: close"),
		}.row(),
		netRow{
			Name: "net-out", what: "64 MiB out of net/http, by curl, 1 CPU: MB a second, QEMU's CPU time a MB",
			unit: "MB/s", cpus: 1, reach: 2, drive: curl("http://" + guestHost + "/bytes/" + strconv.Itoa(64<<20)),
		}.row(),
		netRow{
			Name: "net-in", what: "64 MiB into net/http, by curl, 1 CPU: MB a second, QEMU's CPU time a MB",
			unit: "MB/s", cpus: 1, reach: 1.5, drive: sendZeros(64),
		}.row(),
		netRow{
			Name: "net-out-1g", what: "1 GiB out of net/http, by curl, 1 CPU: MB a second, QEMU's CPU time a MB",
			unit: "MB/s", cpus: 1, reach: 2, drive: curl("http://" + guestHost + "/bytes/" + strconv.Itoa(1<<30)),
		}.row(),
		netRow{
			Name: "net-in-1g", what: "1 GiB into net/http, by curl, 1 CPU: MB a second, QEMU's CPU time a MB",
			unit: "MB/s", cpus: 1, reach: 1.5, drive: sendZeros(1 << 10),
		}.row(),
		netRow{
			Name: "net-udp-direct", what: "UDP echo through libos/net itself, against net.UDPConn in the Linux guest, 64 bytes, 32 in flight, 1 CPU: echoes a second, QEMU's CPU time an echo",
			program: "ci/bench/guest/udpecho", unit: "/s", cpus: 1, reach: 5, warm: true, drive: datagrams,
		}.row(),
		connsRow,
		netRow{
			Name: "net-udp", what: "UDP echo through net.UDPConn, 64 bytes, 32 in flight, 1 CPU: echoes a second, QEMU's CPU time an echo",
			unit: "/s", cpus: 1, reach: 2, warm: true, drive: datagrams,
		}.row(),
	}
}
