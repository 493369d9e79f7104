//go:build !linux

package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) fsCommand() *cobra.Command {
	return &cobra.Command{Use: "fs", Short: "Work on volumes: on Linux only", RunE: func(*cobra.Command, []string) error {
		return fmt.Errorf("fs works on Linux only")
	}}
}
