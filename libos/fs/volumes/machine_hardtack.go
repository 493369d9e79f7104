//go:build hardtack

package volumes

// atExit has f called before the image ends because main returned or os.Exit was called. Package runtime's added files push it.
func atExit(f func())

// atDeath has f called before the image ends by a panic, a fatal error or a signal, if goroutines can still run.
func atDeath(f func())
