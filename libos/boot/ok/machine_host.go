//go:build !hardtack

package ok

func atSuccess(func()) {}
