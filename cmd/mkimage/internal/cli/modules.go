package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/progress"
)

func (a *app) modulesCommand() *cobra.Command {
	var quick bool
	cmd := &cobra.Command{
		Use:   "modules",
		Short: "List the libOS modules: what links each, what it costs, and what it needs",
		Long: `Modules lists what fills the slots sched, vm, net, fs, posix and drivers. Bytes are
what the image of an empty program grows by with the module and what it needs; a
program that has some of that already pays less. Any package of an app's module
graph that registers itself as these do can be linked by --module, --sched or --vm
and its import path.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := build.ModuleList()
			if err != nil {
				return err
			}
			if !quick {
				cache, err := build.DefaultCache()
				if err != nil {
					return err
				}
				b := &build.Builder{GoCmd: "go", Cache: cache, Log: a.stderr, Progress: progress.New(a.stderr)}
				if err := b.MeasureModules(cmd.Context(), all); err != nil {
					return err
				}
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
