package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/internal/cache"
)

// addedFile is the file that joins the libOS modules to a main package. It
// exists in an overlay only. The name sorts last, so that the app's packages are
// initialised in their own order.
const addedFile = "zz_hardtack.go"

// textOffset is what the linker leaves for headers before the text, whose address its flag -T is.
const textOffset = 0x1000

// A CommandError is a failure that a go command has explained itself.
type CommandError struct {
	Output string // what it said
	Note   string // what is known beyond that, or ""
}

func (e *CommandError) Error() string {
	out := string(bytes.TrimSpace([]byte(e.Output)))
	if e.Note == "" {
		return out
	}
	return out + "\n" + e.Note
}

// compile links the program, with the packages that are initialized first and further entries of the overlay, and returns its path.
func (b *Builder) compile(ctx context.Context, c *Context, t *target, modules, first []string, extra map[string]string) (string, error) {
	extra, err := c.initOrder(extra, first)
	if err != nil {
		return "", err
	}
	added, err := c.ImportsFile("main", modules)
	if err != nil {
		return "", err
	}
	overlay, err := c.WriteOverlay(and(extra, filepath.Join(t.PkgDir, addedFile), added))
	if err != nil {
		return "", err
	}
	link := linkFlags
	if c.High {
		link += fmt.Sprintf(" -T=%#x", format.HighBase+textOffset)
	}
	flags, err := throughCover(append(c.Flags.AddPerPackage("ldflags", link), overlay))
	if err != nil {
		return "", err
	}
	packages := t.Args
	if t.Files {
		packages = append(slices.Clone(t.Args), addedFile)
	}
	out, err := b.Link(ctx, c, t.Name(), "build", flags, packages)
	if err != nil {
		return "", b.diagnose(ctx, c, t, err)
	}
	return out, nil
}

// Link runs "go build" or "go test -c" and returns the path of the program,
// which stays in the cache for the next time.
func (b *Builder) Link(ctx context.Context, c *Context, name, command string, flags gotool.Flags, packages []string) (string, error) {
	args := append([]string{command}, flags...)
	h := cache.NewHash("program")
	h.Add(c.Dir, c.GoCmd)
	h.Add(c.Env...)
	h.Add(args...)
	h.Add(packages...)
	parent := filepath.Join(b.Cache, "program")
	dir := filepath.Join(parent, h.Name())
	unlock, err := programDir(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	prunePrograms(parent, time.Now(), keptBytes)

	out := filepath.Join(dir, name)
	args = append(args, "-o", out)
	args = append(args, packages...)
	b.logCommand(c.Dir, c.Env, append([]string{c.GoCmd}, args...))
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.GoCmd, args...)
	cmd.Dir, cmd.Env = c.Dir, gotool.Environ(append(hurry(out), c.Env...)...)
	cmd.Stdout = &stderr
	cmd.Stderr = b.logTo(flags, &stderr)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if stderr.Len() == 0 {
			return "", fmt.Errorf("go %s: %w", command, err)
		}
		return "", &CommandError{Output: stderr.String()}
	}
	if cmd.Stderr == &stderr {
		b.Log.Write(stderr.Bytes())
	}
	return out, nil
}

// hurry is the environment that lets the go command find sooner that nothing has
// changed since out was linked. Most of its time goes into reading package
// descriptions, and a sixth of that into collecting garbage it need not collect.
func hurry(out string) []string {
	if _, err := os.Stat(out); err != nil || os.Getenv("GOGC") != "" {
		return nil // there is compiling to do, by processes that would inherit it
	}
	return []string{"GOGC=400"}
}
