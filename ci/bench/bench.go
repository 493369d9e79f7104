package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/linuxguest"
	"github.com/hardtack-os/hardtack/ci/bench/qemu"
)

// module is the path of the module that the bench measures.
const module = "github.com/hardtack-os/hardtack"

// A Bench is one run: its settings, its folders and what its rows share.
type Bench struct {
	N         int  // repetitions of what a clock measures
	WithLinux bool // whether the Linux guest is measured
	Root      string

	work    string // removed at the end
	cache   string // kept
	mkimage string // the program that builds images; empty until built
	tried   error  // why mkimage could not be built
	kernel  *linuxguest.Kernel
	guests  map[string]*Guest // by kind and package
}

// open prepares what every row needs.
func (b *Bench) open(ctx context.Context) error {
	mod, err := command(ctx, ".", nil, "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return fmt.Errorf("run the bench inside Hardtack's tree: %w", err)
	}
	b.Root = strings.TrimSpace(mod)
	user, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	b.cache = filepath.Join(user, "hardtack", "bench")
	if b.work, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	b.guests = make(map[string]*Guest)
	return install(ctx, qemu.Binary, "qemu-system-x86")
}

func (b *Bench) close() {
	if b.work != "" {
		os.RemoveAll(b.work)
	}
}

// facts are the lines above the table: what the figures were taken with.
func (b *Bench) facts(ctx context.Context) []string {
	version, err := command(ctx, ".", nil, qemu.Binary, "--version")
	if err != nil {
		version = err.Error()
	}
	first, _, _ := strings.Cut(version, "\n")
	facts := []string{
		time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		first + ", TCG, microvm",
		runtime.Version() + fmt.Sprintf(", %d host CPUs", runtime.NumCPU()),
	}
	if b.kernel != nil {
		facts = append(facts, "Linux guest: "+b.kernel.Package+", vmlinux by PVH, the program as init")
	}
	return facts
}

// command runs a program in dir with env added, and returns its standard output.
func command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("`%s %s`: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// clean makes an error fit to be committed: without the folders of this machine, and not longer than a note may be.
func (b *Bench) clean(s string) string {
	home, _ := os.UserHomeDir()
	for _, dir := range []struct{ path, name string }{{b.work, "WORK"}, {b.cache, "CACHE"}, {b.Root, "."}, {home, "~"}} {
		if dir.path != "" {
			s = strings.ReplaceAll(s, dir.path, dir.name)
		}
	}
	const longest = 400
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + " ..."
	}
	return s
}
