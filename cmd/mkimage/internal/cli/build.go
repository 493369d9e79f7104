package cli

import (
	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
)

func (a *app) buildCommand() *cobra.Command {
	var s shared
	cmd := &cobra.Command{
		Use:   "build [flags] [PKG] [-- ARGS]",
		Short: "Build a main package into an image",
		Long: `Build makes one ELF file that QEMU -kernel, Firecracker and Cloud Hypervisor boot
by the PVH protocol. Arguments after -- and the environment are baked in; the
virtual machine monitor's own command line can replace them.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := s.start(a)
			if err != nil {
				return err
			}
			var pkg []string
			pkg, s.Args = splitDash(cmd, args)
			_, err = b.Build(cmd.Context(), build.Request{Package: pkg, Flags: s.Settings}, s.output)
			return err
		},
	}
	s.add(cmd)
	return cmd
}
