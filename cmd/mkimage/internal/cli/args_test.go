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
		if got := strings.Join(normalise(a.root(), strings.Fields(in)), " "); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
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
			s.add(cmd)
			err := cmd.ParseFlags(normalise(cmd, append(strings.Fields(form), "./p")))
			if err != nil || len(s.Go) != 1 || s.Go[0] != want || cmd.Flags().Arg(0) != "./p" {
				t.Errorf("%s: %q, arguments %q, %v", form, s.Go, cmd.Flags().Args(), err)
			}
		}
	}
}
