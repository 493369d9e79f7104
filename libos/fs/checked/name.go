package checked

import (
	"strings"
	"unicode/utf8"
)

// A name in an archive of the image's files is UTF-8 (io/fs takes no other) without a backslash (archive/zip reads it as a slash). What a name has besides, and the percent sign, is in the archive as a percent sign and
// two hexadecimal digits a byte.

const hex = "0123456789ABCDEF"

// EscapeName is what an archive calls a path. One that needs no change is not copied.
func EscapeName(name string) string {
	if utf8.ValidString(name) && !strings.ContainsAny(name, `%\`) {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if c := name[0]; r == utf8.RuneError && n == 1 || c == '%' || c == '\\' {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteString(name[:n])
		}
		name = name[n:]
	}
	return b.String()
}

// UnescapeName is the path that an archive calls so. What EscapeName does not write stays as it is: no slash and no byte 0 comes of it.
func UnescapeName(name string) string {
	before, _, some := strings.Cut(name, "%")
	if !some {
		return name
	}
	b := append(make([]byte, 0, len(name)), before...)
	for name = name[len(before):]; len(name) > 0; {
		c, n := name[0], 1
		if c == '%' && len(name) >= 3 {
			high, low := strings.IndexByte(hex, name[1]), strings.IndexByte(hex, name[2])
			if x := byte(high<<4 | low); high >= 0 && low >= 0 && (x >= utf8.RuneSelf || x == '%' || x == '\\') {
				c, n = x, 3
			}
		}
		b, name = append(b, c), name[n:]
	}
	return string(b)
}
