package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
)

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"build -tags x -o out ./p":         "build --tags x -o out ./p",
		"build -ldflags=-s -trimpath .":    "build --ldflags=-s --trimpath .",
		"build -ldflags -w -v":             "build --ldflags -w -v",
		"test -json ./p -- -run X -json":   "test --json ./p -- -run X -json",
		"run --cpus 4 -memory 1G .":        "run --cpus 4 --memory 1G .",
		"run -env -tags .":                 "run --env -tags .",
		"build -o -tags .":                 "build -o -tags .",
		"run -nonsense .":                  "run -nonsense .",
		"build -gcflags all=-N -race -p 2": "build --gcflags all=-N --race -p 2",
		"build -x -a -p=2 -v .":            "build -x -a -p=2 -v .",
		"inspect -json x":                  "inspect --json x",
		"build -":                          "build -",
	} {
		a := &app{stderr: os.Stderr}
		out, err := normalise(a.root(), strings.Fields(in))
		if got := strings.Join(out, " "); got != want || err != nil {
			t.Errorf("%s\ngot  %s, %v\nwant %s", in, got, err, want)
		}
	}
}

// TestTestFlagsBeforeTheDashes holds each message to the command that it advises,
// and that command to be one that is accepted.
func TestTestFlagsBeforeTheDashes(t *testing.T) {
	a := &app{stderr: os.Stderr}
	for in, want := range map[string]string{
		"test -run X ./p":                         "-run …: mkimage test ./p -- -run X",
		"test ./p -count=1":                       "-count …: mkimage test ./p -- -count=1",
		"test --short -v ./p --run=X":             "--short …: mkimage test -v ./p -- --short --run=X",
		"test -cpus 2 -cpu 1,2 ./p -- -v":         "-cpu …: mkimage test --cpus 2 ./p -- -cpu 1,2 -v",
		"test -parallel 4 -p 2 -outputdir o":      "-parallel …: mkimage test -p 2 -- -parallel 4 -outputdir o",
		"test -failfast ./p -timeout 5s -bench .": "-failfast …: mkimage test ./p -- -failfast -timeout 5s -bench .",
		"test ./p -test.v -args -x y -- z":        "-test.v …: mkimage test ./p -- -test.v -args -x y -- z",
		"test ./p -run":                           "-run …: mkimage test ./p -- -run",
		"test -run A|B ./p":                       "-run …: mkimage test ./p -- -run 'A|B'",
	} {
		_, err := normalise(a.root(), strings.Fields(in))
		want = strings.Replace(want, "…", "is a flag for the tests, and those go after --", 1)
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", in, err, want)
			continue
		}
		_, advice, _ := strings.Cut(want, "--: mkimage ")
		if _, err := normalise(a.root(), strings.Fields(advice)); err != nil {
			t.Errorf("%s is advised and refused: %v", advice, err)
		}
	}
	for _, in := range []string{"run -run X .", "build -short .", "test -json -v -work ./p", "test -memory 1G ./p -- -run X"} {
		if _, err := normalise(a.root(), strings.Fields(in)); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// TestGoFlags gives every flag of go build as Go users do, with one dash.
func TestGoFlags(t *testing.T) {
	for _, g := range config.GoFlags {
		forms := []string{"-" + g.Name + "=v", "--" + g.Name + "=v", "-" + g.Name + " v"}
		want := "-" + g.Name + "=v"
		if g.Bool {
			forms, want = []string{"-" + g.Name, "--" + g.Name, "-" + g.Name + "=true"}, "-"+g.Name+"=true"
		}
		for _, form := range forms {
			var s shared
			cmd := &cobra.Command{Use: "build"}
			s.add(cmd, false)
			args, err := normalise(cmd, append(strings.Fields(form), "./p"))
			if err == nil {
				err = cmd.ParseFlags(args)
			}
			if err != nil || len(s.Go) != 1 || s.Go[0] != want || cmd.Flags().Arg(0) != "./p" {
				t.Errorf("%s: %q, arguments %q, %v", form, s.Go, cmd.Flags().Args(), err)
			}
		}
	}
}
