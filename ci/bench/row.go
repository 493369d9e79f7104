package main

import (
	"context"

	"github.com/hardtack-os/hardtack/ci/bench/report"
)

// A Row is one line of the table.
type Row struct {
	Name    string // for -row
	What    string // what is measured
	Reach   string // the promise, in words
	Measure func(context.Context, *Bench) Figures
}

// Figures are what a row's measuring found.
type Figures struct {
	Ours  Figure
	Linux Figure // zero where there is nothing to compare
	Met   bool   // whether Ours keeps the promise; nothing if Ours has an error
	Notes []string

	// Unjudged says that Met is worth nothing because the host did not give the guest what it needs.
	Unjudged bool
}

// A Figure is one cell: a text, or why there is none.
type Figure struct {
	Text string
	Err  error
}

// failed is the result of a row that cannot even begin.
func failed(err error) Figures { return Figures{Ours: Figure{Err: err}} }

// line returns the row as the table shows it, and whether all of it could be measured.
// The reasons are passed through clean.
func (r Row) line(f Figures, clean func(string) string) (l report.Line, complete bool) {
	l = report.Line{What: r.What, Reach: r.Reach, Notes: f.Notes, Met: "no"}
	complete = true
	text := func(side string, f Figure) string {
		if f.Err == nil {
			return f.Text
		}
		complete = false
		l.Notes = append(l.Notes, side+": "+clean(f.Err.Error()))
		return "not measured"
	}
	l.Ours, l.Linux = text("ours", f.Ours), text("Linux guest", f.Linux)
	switch {
	case f.Ours.Err != nil || f.Unjudged:
		l.Met = "?"
	case f.Met:
		l.Met = "yes"
	}
	return l, complete
}

// A Side is what one guest measured.
type Side[T any] struct {
	Value T
	Err   error
	Left  bool // the guest was left out by a flag
}

// figure writes the value as a cell.
func (s Side[T]) figure(text func(T) string) Figure {
	switch {
	case s.Left:
		return Figure{Text: "left out"}
	case s.Err != nil:
		return Figure{Err: s.Err}
	}
	return Figure{Text: text(s.Value)}
}

// both measures the program in the package pkg in an image and in the Linux guest.
func both[T any](ctx context.Context, b *Bench, pkg string, measure func(*Guest) (T, error)) (ours, linux Side[T]) {
	ours = side(ctx, pkg, b.Image, measure)
	if !b.WithLinux {
		linux.Left = true
		return ours, linux
	}
	return ours, side(ctx, pkg, b.Linux, measure)
}

// side measures a program made bootable in one way.
func side[T any](ctx context.Context, pkg string, make func(context.Context, string) (*Guest, error), measure func(*Guest) (T, error)) (s Side[T]) {
	g, err := make(ctx, pkg)
	if err != nil {
		s.Err = err
		return s
	}
	s.Value, s.Err = measure(g)
	return s
}
