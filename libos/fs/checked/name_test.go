package checked

import (
	"io/fs"
	"strings"
	"testing"
)

// TestNames: what an archive calls a path.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"":              "",
		"srv/a b":       "srv/a b",
		"srv/ä\ufffd":   "srv/ä\ufffd",
		"100%/50%25":    "100%25/50%2525",
		"bad\xff/\xc3x": "bad%FF/%C3x",
		`a\b`:           "a%5Cb",
	} {
		if got := EscapeName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"%", "%F", "%2F", "%00", "%2e%2e", "%ff", "%zz"} {
		if got := UnescapeName(name); got != name {
			t.Errorf("%q becomes %q", name, got)
		}
	}
}

// FuzzNames: any path comes back as it was, and is one that io/fs and archive/zip take as it is.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"srv/a", "%FF\xff", "\\%5C", "\xf0\x9f/%", "\xed\xa0\x80"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		in := EscapeName(name)
		if got := UnescapeName(in); got != name {
			t.Errorf("%q, in the archive %q, becomes %q", name, in, got)
		}
		if !fs.ValidPath("x"+strings.ReplaceAll(in, "/", "x")) || strings.Contains(in, `\`) || strings.Count(in, "/") != strings.Count(name, "/") {
			t.Errorf("%q is %q in the archive", name, in)
		}
		UnescapeName(name)
	})
}
