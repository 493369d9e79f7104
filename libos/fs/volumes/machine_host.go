//go:build !hardtack

package volumes

func atExit(func())  {}
func atDeath(func()) {}
