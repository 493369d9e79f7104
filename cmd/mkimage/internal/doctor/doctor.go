// Package doctor looks at the machine mkimage runs on: what is there for
// building and running images, what is missing, and the command that mends it.
// It changes nothing.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/qemu"
	"github.com/hardtack-os/hardtack/runtime"
)

// A verdict is the outcome of one check.
type verdict int

const (
	good    verdict = iota
	lacking         // something works less well
	missing         // images cannot be built or run
)

var marks = map[verdict]string{good: "ok     ", lacking: "lacking", missing: "MISSING"}

// A finding is what one check saw.
type finding struct {
	name    string
	verdict verdict
	detail  string
	mend    string // a command or a sentence, if something is to be done
}

// Run makes all checks and writes what they saw. It reports whether everything
// that is needed is there.
func Run(ctx context.Context, w io.Writer, goCmd, cache string) bool {
	ok := true
	for _, check := range []func(context.Context) finding{
		func(ctx context.Context) finding { return checkGo(ctx, goCmd, cache) },
		checkQEMU,
		checkKVM,
		func(context.Context) finding { return checkCache(cache) },
		checkGDB,
	} {
		f := check(ctx)
		fmt.Fprintf(w, "%s  %-6s %s\n", marks[f.verdict], f.name, f.detail)
		if f.mend != "" {
			fmt.Fprintf(w, "                 -> %s\n", f.mend)
		}
		ok = ok && f.verdict != missing
	}
	return ok
}

func checkGo(ctx context.Context, goCmd, cache string) finding {
	f := finding{name: "go"}
	path, err := exec.LookPath(goCmd)
	if err != nil {
		f.verdict, f.detail = missing, "no go command in PATH"
		f.mend = "install Go 1.26 or newer from https://go.dev/dl"
		return f
	}
	root, err := runtime.Prepare(ctx, path, "amd64", cache)
	if err != nil {
		f.verdict, f.detail = missing, firstLine(err.Error())
		var version *runtime.VersionError
		if errors.As(err, &version) {
			f.mend = "export GOTOOLCHAIN=go1.27.0"
		}
		return f
	}
	f.detail = fmt.Sprintf("%s in %s, supported", root.Version, root.GOROOT)
	return f
}

func checkQEMU(ctx context.Context) finding {
	f := finding{name: "qemu"}
	path, err := qemu.Find()
	if err != nil {
		f.verdict, f.detail, f.mend = missing, qemu.Program+" is not in PATH", qemu.InstallHint()
		return f
	}
	version, err := qemu.Version(ctx, path)
	if err != nil {
		f.verdict, f.detail, f.mend = missing, firstLine(err.Error()), qemu.InstallHint()
		return f
	}
	f.detail = fmt.Sprintf("%s (%s)", version, path)
	return f
}

func checkKVM(context.Context) finding {
	f := finding{name: "kvm"}
	err := qemu.KVM()
	if err == nil {
		f.detail = "usable: images run on the CPU itself"
		return f
	}
	f.verdict, f.detail = lacking, fmt.Sprintf("not usable (%v): images run by emulation, which is slower", err)
	switch {
	case errors.Is(err, os.ErrPermission):
		f.mend = `sudo usermod -aG kvm "$USER", then log in again`
	case errors.Is(err, os.ErrNotExist):
		f.mend = "sudo modprobe kvm_intel || sudo modprobe kvm_amd"
	}
	return f
}

func checkCache(cache string) finding {
	f := finding{name: "cache", detail: cache}
	err := os.MkdirAll(cache, 0o777)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(cache, ".doctor-*"); err == nil {
			probe.Close()
			err = os.Remove(probe.Name())
		}
	}
	if err != nil {
		f.verdict, f.detail = missing, fmt.Sprintf("%s cannot be written: %v", cache, err)
		f.mend = "export HARDTACK_CACHE=/a/folder/that/can/be/written"
	}
	return f
}

func checkGDB(context.Context) finding {
	f := finding{name: "gdb"}
	path, err := exec.LookPath("gdb")
	if err != nil {
		f.verdict, f.detail, f.mend = lacking, "not in PATH: needed only for run --gdb", "install your system's package gdb"
		return f
	}
	f.detail = path
	return f
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
