package disk

import "strings"

// Text makes what can be shown of a field of ASCII that a device has filled in and padded by spaces or zeroes: ? for what is none.
func Text(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c == 0 {
			break
		}
		if c < ' ' || c > '~' {
			c = '?'
		}
		out = append(out, c)
	}
	return strings.TrimSpace(string(out))
}
