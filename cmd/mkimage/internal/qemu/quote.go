package qemu

import "io"

// The bytes that the image's console takes for more than themselves, as Linux's
// terminals do (libos/posix, Console). A serial line has no other way to say that
// no more will come.
const (
	endOfInput = 0x04 // Ctrl-D
	literal    = 0x16 // Ctrl-V: the next byte is nothing but itself
	enter      = '\r' // becomes a newline
)

// A quoter writes to a console so that every byte arrives.
type quoter struct{ console io.Writer }

func (q quoter) Write(p []byte) (int, error) {
	quoted := make([]byte, 0, len(p)+len(p)/8)
	for _, b := range p {
		switch b {
		case endOfInput, literal, enter:
			quoted = append(quoted, literal)
		}
		quoted = append(quoted, b)
	}
	if _, err := q.console.Write(quoted); err != nil {
		return 0, err
	}
	return len(p), nil
}
