//go:build hardtack

package main

import "github.com/hardtack-os/hardtack/exo"

func inUse() int64 {
	free, total := exo.CountFrames()
	return int64(total-free) * exo.PageSize
}
