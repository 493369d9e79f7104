package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

// The go command hands the compiler what an overlay puts in a file's place, but
// names the file itself to the cover tool. So builds with coverage run the
// toolchain's programs through mkimage toolexec, which puts it right.

// Covered tells whether a build with these flags measures coverage.
func Covered(flags gotool.Flags) bool {
	if v, ok := flags.Last("cover"); ok {
		return v != "false"
	}
	_, mode := flags.Last("covermode")
	_, pkgs := flags.Last("coverpkg")
	return mode || pkgs
}

// ToolExecCommand is the first argument of mkimage when it runs a program of the
// toolchain: mkimage toolexec OVERLAY PROGRAM ARGS.
const ToolExecCommand = "toolexec"

// throughCover adds what builds with coverage need to flags that name an overlay.
func throughCover(flags gotool.Flags) (gotool.Flags, error) {
	if !Covered(flags) {
		return flags, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	overlay, _ := flags.Last("overlay")
	words := quoteField(self) + " " + ToolExecCommand + " " + quoteField(overlay)
	if user, ok := flags.Last("toolexec"); ok && user != "" {
		words += " " + user
	}
	return append(flags.Without("toolexec"), "-toolexec="+words), nil
}

// quoteField writes a word for the go command, which splits at spaces.
func quoteField(s string) string {
	switch {
	case !strings.ContainsAny(s, " \t\r\n'\""):
		return s
	case !strings.Contains(s, "'"):
		return "'" + s + "'"
	}
	return `"` + s + `"`
}

// ToolExec runs a program of the toolchain and returns its exit status. The
// files that the overlay replaces are those of the replacement for the cover
// tool.
func ToolExec(args []string) int {
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "mkimage toolexec: expects an overlay file and a command; it is for go build's -toolexec")
		return 1
	}
	command := args[1:]
	if err := coverOverlay(args[0], command); err != nil {
		fmt.Fprintf(os.Stderr, "mkimage toolexec: %v\n", err)
		return 1
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	case err != nil:
		fmt.Fprintf(os.Stderr, "mkimage toolexec: %v\n", err)
		return 1
	}
	return 0
}

// coverOverlay replaces file names in command if it runs the cover tool.
func coverOverlay(overlay string, command []string) error {
	tool := -1
	for i, word := range command {
		if strings.TrimSuffix(filepath.Base(word), ".exe") == "cover" {
			tool = i
			break
		}
	}
	if tool < 0 {
		return nil
	}
	data, err := os.ReadFile(overlay)
	if err != nil {
		return err
	}
	var f overlayFile
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("%s: %w", overlay, err)
	}
	for i := tool + 1; i < len(command); i++ {
		if r := f.Replace[command[i]]; r != "" {
			command[i] = r
		}
	}
	return nil
}
