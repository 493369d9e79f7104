package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// install makes sure that a tool is there, by installing its Debian package if need be.
func install(ctx context.Context, tool, pkg string) error {
	if have(tool) {
		return nil
	}
	missing := fmt.Errorf("%s is missing; install it (Debian: %s)", tool, pkg)
	fmt.Fprintf(os.Stderr, "installing %s\n", pkg)
	for _, step := range [][]string{{"update", "-q"}, {"install", "-qy", "--no-install-recommends", pkg}} {
		if err := apt(ctx, step...); err != nil {
			return fmt.Errorf("%w: %w", missing, err)
		}
	}
	if !have(tool) {
		return missing
	}
	return nil
}

// have tells whether a program, or a file named by its path, is there.
func have(tool string) bool {
	if filepath.IsAbs(tool) {
		_, err := os.Stat(tool)
		return err == nil
	}
	_, err := exec.LookPath(tool)
	return err == nil
}

// apt runs apt-get as root, by sudo if that asks nothing.
func apt(ctx context.Context, args ...string) error {
	if os.Geteuid() != 0 {
		args = append([]string{"-n", "apt-get"}, args...)
		_, err := command(ctx, ".", nil, "sudo", args...)
		return err
	}
	_, err := command(ctx, ".", []string{"DEBIAN_FRONTEND=noninteractive"}, "apt-get", args...)
	return err
}
