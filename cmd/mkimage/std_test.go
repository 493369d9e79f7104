package main

import (
	_ "embed"
	"strings"
	"testing"
)

// stdList names the packages of Go's library whose tests are to pass in an
// image: one a line, with "long" behind those that take too long for every
// change.
//
//go:embed testdata/std.txt
var stdList string

// TestStd boots Go's own tests, one package after the other: some of them
// measure time, on a machine that may have no more than two processors.
func TestStd(t *testing.T) {
	for line := range strings.Lines(stdList) {
		pkg, mark, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pkg == "" || pkg == "#" || mark == "long" {
			continue
		}
		t.Run(pkg, func(t *testing.T) {
			c := call{dir: t.TempDir()}
			memory := "1G"
			if pkg == "runtime" {
				memory = "3G" // TestScavengeIndex takes 257 MiB thirty times: on a busy host three and more are there before a collection has ended
			}
			c.mkimage(t, "test", "--jobs", "1", "--cpus", "2", "--memory", memory, pkg, "--", "-short")
			c.want(t, 0, "\t"+strings.TrimSuffix(pkg, "/..."))
		})
	}
}
