package cli

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
)

// TestDefaultsInHelp shows that each command's help tells the machine that it
// would make.
func TestDefaultsInHelp(t *testing.T) {
	for command, want := range map[string][]string{
		"build": {"processors (default 1)", "1G (default 256M)"},
		"run":   {"processors (default 1)", "1G (default 256M)", "pc (default microvm)", "kvm (default auto)"},
		"test":  {"processors (default 2)", "1G (default 1G)", "pc (default microvm)", "kvm (default auto)"},
	} {
		var help bytes.Buffer
		a := &app{stdout: &help, stderr: os.Stderr}
		if code := a.main([]string{command, "--help"}); code != 0 {
			t.Errorf("%s --help: exit code %d", command, code)
		}
		for _, text := range want {
			if !strings.Contains(help.String(), text) {
				t.Errorf("%s --help: no %q in\n%s", command, text, &help)
			}
		}
	}
}

// TestModuleInHelp shows that the module in the help can be had.
func TestModuleInHelp(t *testing.T) {
	var s shared
	cmd := &cobra.Command{}
	s.add(cmd, false)
	name := regexp.MustCompile(`libos/\w+`).FindString(cmd.Flags().Lookup("module").Usage)
	if _, err := build.Modules(config.Settings{Modules: []string{name}}); err != nil {
		t.Error(err)
	}
}
