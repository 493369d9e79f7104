package build

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/progress"
)

// A Builder holds what all builds share.
type Builder struct {
	GoCmd    string    // the go command to ask for the Go root
	Cache    string    // folder for everything generated
	Log      io.Writer // go's messages and command lines
	Verbose  bool      // log command lines
	Progress *progress.Reporter
}

// cacheEnv names the environment variable that moves the cache.
const cacheEnv = "HARDTACK_CACHE"

// DefaultCache returns the folder for generated files.
func DefaultCache() (string, error) {
	if dir := os.Getenv(cacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: %w; set %s", err, cacheEnv)
	}
	return filepath.Join(dir, "hardtack"), nil
}

// logCommand writes a command as one could type it.
func (b *Builder) logCommand(dir string, env []string, args []string) {
	if !b.Verbose {
		return
	}
	fmt.Fprintf(b.Log, "cd %s && %s\n", ShellQuote(dir), ShellJoin(slices.Concat(env, args)))
}

// ShellJoin writes the words of a command for a shell.
func ShellJoin(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = ShellQuote(w)
	}
	return strings.Join(quoted, " ")
}

// ShellQuote quotes a word for a POSIX shell where that is needed.
func ShellQuote(s string) string {
	safe := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:=,@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
