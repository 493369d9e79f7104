// Package cmdline writes the command line that an image reads at its start.
// ARCHITECTURE.md ("The command line") has the syntax; package runtime's added
// files hold the reader.
package cmdline

import (
	"fmt"
	"strings"
)

// A Line is a command line under construction. The zero value is empty.
type Line struct{ tokens []string }

// Add appends the token key=value.
func (l *Line) Add(key, value string) {
	l.tokens = append(l.tokens, key+"="+quote(value))
}

// Program appends the arguments and the environment of the program.
func (l *Line) Program(args, env []string) {
	for _, a := range args {
		l.Add("arg", a)
	}
	for _, e := range env {
		l.Add("env", e)
	}
}

// Value reads the value of the last token key=value of a line that a Line has written; "" where there is none.
func Value(line, key string) (value string) {
	var token []byte
	quoted, start := false, true
	end := func() {
		if k, v, ok := strings.Cut(string(token), "="); ok && k == key {
			value = v
		}
		token, start = token[:0], true
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ' ' && !quoted:
			end()
			continue
		case c == '"' && !start:
			quoted = !quoted
			continue
		case c == '\\' && quoted && i+1 < len(line):
			i++
		}
		token, start = append(token, line[i]), false
	}
	end()
	return value
}

// String returns the line.
func (l *Line) String() string { return strings.Join(l.tokens, " ") }

// Check refuses what no command line can carry.
func Check(args, env []string) error {
	for _, a := range args {
		if strings.ContainsRune(a, 0) {
			return fmt.Errorf("argument %q: a NUL byte cannot be passed to an image", a)
		}
	}
	for _, e := range env {
		name, _, ok := strings.Cut(e, "=")
		switch {
		case strings.ContainsRune(e, 0):
			return fmt.Errorf("environment variable %q: a NUL byte cannot be passed to an image", e)
		case !ok || name == "":
			return fmt.Errorf("environment variable %q: want NAME=VALUE", e)
		}
	}
	return nil
}

// plain are the bytes that need no quotes, besides letters and digits.
const plain = "_-./:=,@%+~^#!*?&;()[]{}<>|$'`"

func quote(s string) string {
	needs := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(plain, r))
	}
	if s != "" && strings.IndexFunc(s, needs) < 0 {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
