package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/progress"
)

func (a *app) modulesCommand() *cobra.Command {
	var quick bool
	cmd := &cobra.Command{
		Use:   "modules [PKG]",
		Short: "List the libOS modules: what links each, what it costs, and what it needs",
		Long: `Modules lists what fills the slots sched, vm, net, fs, posix and drivers. Bytes are
what the image of an empty program grows by with the module and what it needs; a
program that has some of that already pays less.

Any package of an app's module graph can fill a slot: --sched, --vm, --sockets (net),
--fs and --module (posix, drivers), or their keys in libos.toml, take its import path.
With a main package, the modules that its libos.toml names so are listed instead, and
what its image grows by with each, against the one without it.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cache, err := build.DefaultCache()
			if err != nil {
				return err
			}
			b := &build.Builder{GoCmd: "go", Cache: cache, Log: a.stderr, Progress: progress.New(a.stderr)}
			var all []build.ModuleInfo
			if len(args) > 0 {
				all, err = b.OwnModules(cmd.Context(), args, !quick)
			} else if all, err = build.ModuleList(); err == nil && !quick {
				err = b.MeasureModules(cmd.Context(), all)
			}
			if err != nil {
				return err
			}
			if len(all) == 0 {
				fmt.Fprintf(a.stderr, "mkimage: %s names no module of its own in %s\n", args[0], config.FileName)
			}
			p := &printer{w: a.stdout}
			slot := ""
			for _, m := range all {
				if m.Slot != slot {
					slot = m.Slot
					p.line("%s:", slot)
				}
				bytes := ""
				if m.Bytes != 0 {
					bytes = fmt.Sprintf("%+d bytes", m.Bytes)
				}
				p.line("  %-22s %16s  %s", m.Path, bytes, m.By)
				p.line("      %s", m.About)
				if len(m.Needs) > 0 {
					p.line("      needs %s", strings.Join(m.Needs, ", "))
				}
			}
			return p.err
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "do not link anything to tell the bytes")
	return cmd
}
