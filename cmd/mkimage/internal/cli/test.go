package cli

import (
	"fmt"
	"os/signal"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/qemu"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/testrun"
)

func (a *app) testCommand() *cobra.Command {
	s := shared{defaults: testrun.Defaults}
	r := &testrun.Runner{Stdout: a.stdout, Stderr: a.stderr}
	cmd := &cobra.Command{
		Use:   "test [flags] [PKGS] [-- TEST FLAGS]",
		Short: "Boot the tests of packages and report as go test does",
		Long: `Test compiles the tests of each package, boots them, and reports as go test does.
Packages of Go's standard library can be named; tests of theirs that cannot pass
in an image are skipped (-v tells which and why). Flags for the tests go after --,
as go test takes them: mkimage test ./... -- -run X -v`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.Builder, err = s.start(a); err != nil {
				return err
			}
			if r.QEMU, err = qemu.Find(); err != nil {
				return err
			}
			var patterns []string
			patterns, r.Args = splitDash(cmd, args)
			if err := misplacedAfter(cmd, r.Args); err != nil {
				return err
			}
			if r.Jobs < 1 {
				return fmt.Errorf("--jobs %d: want 1 or more", r.Jobs)
			}
			r.Settings, r.Output = s.Settings, s.output
			ctx, cancel := signal.NotifyContext(cmd.Context(), stopSignals...)
			defer cancel()
			ok, err := r.Run(ctx, patterns)
			if err == nil && !ok {
				a.status = 1
			}
			return err
		},
	}
	s.add(cmd, true)
	cmd.Flags().BoolVar(&r.JSON, "json", false, "write test2json events instead of text")
	cmd.Flags().BoolVar(&r.NoSkips, "no-skips", false, "run also the tests that cannot pass in an image")
	cmd.Flags().IntVar(&r.Jobs, "jobs", runtime.NumCPU(), "number of packages to test at once")
	return cmd
}
