//go:build !hardtack

package volumes

func atExit(func()) {}
