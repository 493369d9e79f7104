package testrun

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"

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
