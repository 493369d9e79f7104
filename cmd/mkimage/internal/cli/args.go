package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// normalise gives long flags that are written with one dash (-tags x, -json)
// the two that the flag library asks for. Letters (-o, -v, -p) stay as they are,
// and nothing after "--" is touched.
func normalise(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		cmd = root
	}
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...)
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
	return out
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
