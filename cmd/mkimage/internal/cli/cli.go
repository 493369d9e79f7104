// Package cli is mkimage's command line: its commands, their flags, and what
// exit status each outcome gives.
//
// Flags of go build may be written with one dash, as Go users type them; see
// args.go. Exit status is the program's own after run, 1 if the tests of test
// failed, and 1 for every error of mkimage itself.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
)

// An app is one run of mkimage.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr *os.File
	status int // exit status if no error is returned
}

// Main runs mkimage and returns its exit status.
func Main(args []string) int {
	if len(args) > 0 && args[0] == build.ToolExecCommand {
		return build.ToolExec(args[1:])
	}
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	return a.main(args)
}

func (a *app) main(args []string) int {
	root := a.root()
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	args, err := normalise(root, args)
	if err == nil {
		root.SetArgs(args)
		err = root.ExecuteContext(context.Background())
	}
	if err != nil {
		a.report(err)
		return 1
	}
	return a.status
}

// report tells an error. What the go command said stays as it said it.
func (a *app) report(err error) {
	var goError *build.CommandError
	switch {
	case errors.Is(err, errReported):
	case errors.As(err, &goError):
		fmt.Fprintln(a.stderr, goError)
	default:
		fmt.Fprintf(a.stderr, "mkimage: %s\n", strings.TrimSpace(err.Error()))
	}
}

// errReported stands for an error that the user has been told already.
var errReported = errors.New("reported")

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mkimage",
		Short: "Build Go programs into images that boot by themselves",
		Long: `mkimage turns an ordinary Go program into one bootable image: the program, the
patched Go runtime and the library operating systems it is linked with. The
program needs no change.

PKG is a main package as "go run" takes it: a folder, an import path, .go files,
or path@version. A libos.toml beside the package holds the same settings as the
flags; a flag wins.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	names(root)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(helpCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if !errors.As(err, &unknown) {
			return err
		}
		run, _, _ := root.Find([]string{"run"})
		switch name := cmd.Name(); {
		case name == "build" && has(run, unknown.GetSpecifiedName()):
			return fmt.Errorf("%w: mkimage run has it, for it is about the machine that an image runs on", err)
		case name == "build" || name == "run":
			err = fmt.Errorf("%w; flags for the program itself go after --", err)
		}
		return fmt.Errorf("%w; %s --help lists those that are there", err, cmd.CommandPath())
	})
	root.AddCommand(a.buildCommand(), a.runCommand(), a.testCommand(), a.inspectCommand(), a.modulesCommand(), a.doctorCommand(), a.fsCommand(), a.versionCommand())
	return root
}

// has reports whether a command has a flag of this name or letter.
func has(cmd *cobra.Command, name string) bool {
	return cmd.Flags().Lookup(name) != nil || len(name) == 1 && cmd.Flags().ShorthandLookup(name) != nil
}

// names makes a command one that only has others: alone it shows its help, and it knows what to say of those that are not there.
func names(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		meant := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			meant = fmt.Sprintf(", did you mean %s?", strings.Join(near, " or "))
		}
		return fmt.Errorf("unknown command %q%s; %s --help names those that are there", args[0], meant, cmd.CommandPath())
	}
}

// helpCommand is cobra's, but that a command it does not know is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("unknown command %q; mkimage --help names those that are there", strings.Join(args, " "))
			}
			if err != nil {
				return err
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// splitDash separates the arguments of a command from those after "--". dashed
// is nil if there is no "--".
func splitDash(cmd *cobra.Command, args []string) (before, dashed []string) {
	n := cmd.ArgsLenAtDash()
	if n < 0 {
		return args, nil
	}
	return args[:n], append([]string{}, args[n:]...)
}
