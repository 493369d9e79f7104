package cli

import "github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"

// quoteAll quotes the words of a command for a shell.
func quoteAll(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = build.ShellQuote(w)
	}
	return out
}
