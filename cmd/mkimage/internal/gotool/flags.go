package gotool

import (
	"errors"
	"fmt"
	"strings"
)

// Flags are flags of the go command, each as "-name=value".
type Flags []string

// split returns a flag's name and value. A flag without "=" is true.
func split(flag string) (name, value string) {
	name, value, ok := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	if !ok {
		value = "true"
	}
	return name, value
}

// All returns the values of a flag, in order.
func (f Flags) All(name string) []string {
	var values []string
	for _, flag := range f {
		if n, v := split(flag); n == name {
			values = append(values, v)
		}
	}
	return values
}

// Last returns the value of a flag that counts where only one does.
func (f Flags) Last(name string) (string, bool) {
	all := f.All(name)
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1], true
}

// Without returns the flags but for the named ones.
func (f Flags) Without(names ...string) Flags {
	var out Flags
	for _, flag := range f {
		n, _ := split(flag)
		keep := true
		for _, name := range names {
			keep = keep && n != name
		}
		if keep {
			out = append(out, flag)
		}
	}
	return out
}

// WithEnv returns the flags that the go command would use for a build: those of
// GOFLAGS count where the command line does not set the same flag.
func (f Flags) WithEnv(goflags string) (Flags, error) {
	env, err := fields(goflags)
	if err != nil {
		return nil, fmt.Errorf("GOFLAGS: %w", err)
	}
	var out Flags
	for _, flag := range env {
		if n, _ := split(flag); len(f.All(n)) == 0 {
			out = append(out, flag)
		}
	}
	return append(out, f...), nil
}

// AddTags adds build tags to the user's.
func (f Flags) AddTags(tags ...string) Flags {
	if user, ok := f.Last("tags"); ok && user != "" {
		// Spaces separated tags before Go 1.13 and still do.
		tags = append(strings.FieldsFunc(user, func(r rune) bool { return r == ',' || r == ' ' }), tags...)
	}
	return append(f.Without("tags"), "-tags="+strings.Join(tags, ","))
}

// AddPerPackage adds flags of a tool (-ldflags, -gcflags) to those that the
// user gives to the packages named on the command line.
//
// The go command takes, for each package, the last value whose pattern matches.
// So ours go in front, in case no other matches, and behind every value of the
// user's, whatever its pattern.
func (f Flags) AddPerPackage(name, add string) Flags {
	out := f.Without(name)
	out = append(out, "-"+name+"="+add)
	for _, v := range f.All(name) {
		out = append(out, "-"+name+"="+appendFlags(v, add))
	}
	return out
}

// appendFlags appends to one value of a per-package flag, which is
// "flags" or "pattern=flags".
func appendFlags(value, add string) string {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return add
	case strings.HasSuffix(value, "="):
		return value + add
	}
	return value + " " + add
}

// fields splits text at spaces; a field may be in single or double quotes.
func fields(text string) ([]string, error) {
	var out []string
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		if text == "" {
			return out, nil
		}
		if q := text[0]; q == '"' || q == '\'' {
			end := strings.IndexByte(text[1:], q)
			if end < 0 {
				return nil, errors.New("a quote is not closed")
			}
			out, text = append(out, text[1:1+end]), text[end+2:]
			continue
		}
		end := strings.IndexAny(text, " \t\r\n")
		if end < 0 {
			end = len(text)
		}
		out, text = append(out, text[:end]), text[end:]
	}
}
