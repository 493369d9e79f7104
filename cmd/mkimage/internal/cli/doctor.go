package cli

import (
	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Tell what this machine has and lacks for building and running images",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cache, err := build.DefaultCache()
			if err != nil {
				return err
			}
			if !doctor.Run(cmd.Context(), a.stdout, "go", cache) {
				return errReported
			}
			return nil
		},
	}
}
