//go:build hardtack

package volumes

// atExit has f called before the image ends because main returned or os.Exit was called. Package runtime's added files push it.
func atExit(f func())
