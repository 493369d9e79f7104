// Package report writes the bench's figures as one Markdown table.
package report

import (
	"fmt"
	"io"
	"strings"
)

// A Line is one row of the table.
type Line struct {
	What  string // what is measured
	Ours  string
	Linux string // the Linux guest beside it; empty where there is nothing to compare
	Reach string // the promise
	Met   string // "yes", "no", or "?" where it could not be measured
	Notes []string
}

// Write prints the table: a heading, facts about the run, the rows, and the rows' notes as a list below it.
func Write(w io.Writer, facts []string, lines []Line) error {
	var b strings.Builder
	b.WriteString("# Figures\n\n")
	b.WriteString("Written by `make bench`; do not edit. Every row is measured side by side in one run, on one QEMU machine.\n\n")
	for _, f := range facts {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	b.WriteString("\n| what | ours | Linux guest | reach | met |\n|---|---|---|---|---|\n")
	for i, l := range lines {
		what := l.What
		if len(l.Notes) > 0 {
			what += fmt.Sprintf(" (%d)", i+1)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(what), cell(l.Ours), cell(l.Linux), cell(l.Reach), cell(l.Met))
	}
	var notes strings.Builder
	for i, l := range lines {
		for _, n := range l.Notes {
			fmt.Fprintf(&notes, "- (%d) %s\n", i+1, strings.ReplaceAll(n, "\n", " "))
		}
	}
	if notes.Len() > 0 {
		b.WriteString("\nNotes, by row:\n\n" + notes.String())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell makes s safe inside a Markdown table.
func cell(s string) string {
	if s == "" {
		return "–"
	}
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

// Count writes an integer with thin groups of three: 12 345 678.
func Count(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return sign + s
}

// KiB writes a number of bytes in KiB, or in MiB from 1 MiB on.
func KiB(bytes int64) string {
	if bytes >= 1<<20 || bytes <= -1<<20 {
		return fmt.Sprintf("%.2f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
}
