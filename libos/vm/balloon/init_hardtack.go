//go:build hardtack

package balloon

func init() { go run() } // beside main: no program waits for it
