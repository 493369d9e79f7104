package cli

import "github.com/spf13/cobra"

func (a *app) testCommand() *cobra.Command {
	return &cobra.Command{Use: "test"}
}
