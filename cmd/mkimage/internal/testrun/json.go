package testrun

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

// toJSON sends what is written to the report through go's own test2json, line
// by line to where it went before. The returned function ends it.
func (r *Runner) toJSON(ctx context.Context, p *testPackage, rep *report) (func(), error) {
	cmd := exec.CommandContext(ctx, p.ctx.GoCmd, "tool", "test2json", "-t", "-p", p.ImportPath)
	// The tool runs here: nothing of the image's environment.
	cmd.Env = gotool.Environ(p.ctx.RootEnv...)
	cmd.Stderr = &rep.errors
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("go tool test2json: %w", err)
	}
	dest := rep.out
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadBytes('\n')
			dest.Write(line)
			if err != nil {
				return
			}
		}
	}()
	rep.out = in
	return func() {
		in.Close()
		<-copied
		if err := cmd.Wait(); err != nil {
			fmt.Fprintf(&rep.errors, "mkimage: go tool test2json: %v\n", err)
		}
	}, nil
}

// An event is one line of go test -json, as far as test2json cannot make it: it
// does not know builds. "go doc test2json" and "go help buildjson" have the format.
type event struct {
	Time        time.Time `json:",omitzero"`
	ImportPath  string    `json:",omitempty"`
	Action      string
	Package     string   `json:",omitempty"`
	Output      string   `json:",omitempty"`
	Elapsed     *float64 `json:",omitempty"` // seconds
	FailedBuild string   `json:",omitempty"`
}

// event writes an event, whole.
func (rep *report) event(e event) {
	line, err := json.Marshal(e)
	if err != nil {
		fmt.Fprintf(&rep.errors, "mkimage: %v\n", err)
		return
	}
	rep.out.Write(append(line, '\n'))
}

// verdict writes the events of a package whose tests are not run: start, its
// line, and how it ended.
func (rep *report) verdict(end event, line string) {
	end.Time, end.Elapsed = time.Now(), new(float64)
	rep.event(event{Time: end.Time, Action: "start", Package: end.Package})
	rep.event(event{Time: end.Time, Action: "output", Package: end.Package, Output: line})
	rep.event(end)
}

// buildHeader begins what the go command says about one package: its path and,
// if it is compiled for a test, of which.
var buildHeader = regexp.MustCompile(`^# (\S+( \[\S+\])?)\n$`)

// buildEvents writes the events of a failed build of pkg, of which the go
// command said the text. It returns the first package that failed.
func (rep *report) buildEvents(pkg, said string) (failed string) {
	current := pkg
	for line := range strings.Lines(said) {
		if m := buildHeader.FindStringSubmatch(line); m != nil {
			if failed == "" {
				failed = m[1]
			} else {
				rep.event(event{ImportPath: current, Action: "build-fail"})
			}
			current = m[1]
		}
		rep.event(event{ImportPath: current, Action: "build-output", Output: line})
	}
	rep.event(event{ImportPath: current, Action: "build-fail"})
	return cmp.Or(failed, pkg)
}
