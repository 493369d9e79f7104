package exo

import "strings"

// Setting gives the value of a word name=VALUE of the command line (ARCHITECTURE.md has the syntax); the last one counts, so what the VMM passes wins over what
// is baked in. ok is false where there is none.
func Setting(name string) (value string, ok bool) { return setting(hwCmdline(), name) }

func setting(line, name string) (value string, ok bool) {
	for line != "" {
		var word string
		word, line = nextWord(line)
		if n, v, found := strings.Cut(word, "="); found && n == name {
			value, ok = unquote(v), true
		}
	}
	return value, ok
}

// nextWord takes the first word off a line. A space in double quotes, behind the word's =, does not end it.
func nextWord(line string) (word, rest string) {
	line = strings.TrimLeft(line, " ")
	quoted, value := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ' ' && !quoted:
			return line[:i], line[i:]
		case c == '=':
			value = true
		case c == '"' && value:
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		}
	}
	return line, ""
}

// unquote removes quotes, and the escapes within.
func unquote(s string) string {
	if strings.IndexByte(s, '"') < 0 {
		return s
	}
	var b []byte
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
			continue
		case s[i] == '\\' && quoted && i+1 < len(s):
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
