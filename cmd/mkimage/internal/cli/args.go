package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/testrun"
)

// normalise gives long flags that are written with one dash (-tags x, -json)
// the two that the flag library asks for. Letters (-o, -v, -p) stay as they are,
// and nothing after "--" is touched. Flags for the tests before it are an error.
func normalise(root *cobra.Command, args []string) ([]string, error) {
	cmd, _, err := root.Find(args)
	if err != nil {
		cmd = root
	}
	var forTests, dashed []string
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if n := testFlag(cmd, args[i:]); n > 0 {
			forTests = append(forTests, args[i:i+n]...)
			i += n - 1
			continue
		}
		if arg == "--" {
			dashed = args[i:]
			break
		}
		name, isFlag := strings.CutPrefix(arg, "-")
		if !isFlag || name == "" {
			out = append(out, arg)
			continue
		}
		if !strings.HasPrefix(name, "-") {
			if key, _, _ := strings.Cut(name, "="); len(key) > 1 && cmd.Flags().Lookup(key) != nil {
				arg = "-" + arg
			}
		}
		out = append(out, arg)
		// The next argument is this flag's value, whatever it looks like.
		if takesNext(cmd.Flags(), arg) && i+1 < len(args) {
			i++
			out = append(out, args[i])
		}
	}
	if len(forTests) > 0 {
		return nil, misplaced(out, forTests, dashed)
	}
	return append(out, dashed...), nil
}

// testFlag returns how many of the arguments are a flag of go test that
// mkimage test does not have itself, with its value.
func testFlag(cmd *cobra.Command, args []string) int {
	name, _, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(args[0], "-"), "-"), "=")
	if cmd.Name() != "test" || !strings.HasPrefix(args[0], "-") || cmd.Flags().Lookup(name) != nil {
		return 0
	}
	switch is, takesNext := testrun.IsFlag(name); {
	case name == "args":
		return len(args)
	case !is || len(name) == 1:
		return 0
	case takesNext && !hasValue && len(args) > 1:
		return 2
	}
	return 1
}

// misplaced tells where flags for the tests belong, by the command as it should be.
func misplaced(before, forTests, dashed []string) error {
	name, _, _ := strings.Cut(forTests[0], "=")
	command := slices.Concat([]string{"mkimage"}, before, []string{"--"}, forTests)
	if len(dashed) > 0 {
		command = append(command, dashed[1:]...)
	}
	return fmt.Errorf("%s is a flag for the tests, and those go after --: %s", name, build.ShellJoin(command))
}

// misplacedAfter refuses flags of mkimage test that stand after "--", where those
// for the tests go.
func misplacedAfter(cmd *cobra.Command, dashed []string) error {
	for i := 0; i < len(dashed); i++ {
		if !strings.HasPrefix(dashed[i], "-") {
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(dashed[i], "-"), "-"), "=")
		is, takesNext := testrun.IsFlag(name)
		switch {
		case name == "args":
			return nil
		case is && takesNext && !hasValue:
			i++
		case !is && cmd.Flags().Lookup(name) != nil:
			return fmt.Errorf("-%s is a flag of mkimage test, not of the tests: it goes before --", name)
		}
	}
	return nil
}

// takesNext reports whether a flag, dashes as the library wants them, takes the
// next argument as its value.
func takesNext(flags *pflag.FlagSet, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	var f *pflag.Flag
	if name, ok := strings.CutPrefix(arg, "--"); ok {
		f = flags.Lookup(name)
	} else if len(arg) == 2 {
		f = flags.ShorthandLookup(arg[1:])
	}
	return f != nil && f.NoOptDefVal == ""
}
