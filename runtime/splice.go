package runtime

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// A splice replaces src[from:to] by text.
type splice struct {
	from, to int
	text     string
	edit     Edit // on whose behalf, for errors
}

// blank returns a splice that removes src[from:to] and keeps its line ends.
func blank(src []byte, from, to int) splice {
	return splice{from: from, to: to, text: strings.Repeat("\n", bytes.Count(src[from:to], []byte("\n")))}
}

// apply makes all splices of one file. Text outside them is copied as it is, and every line outside them keeps its
// number: a splice that brings more lines than it takes is followed by a //line directive, at the start of the next
// line. (One that brings fewer must bring empty lines for the others; see [blank] and bodyText.)
//
// The error, an [*EditError], is ErrConflict where two splices meet.
func apply(src []byte, splices []splice) ([]byte, error) {
	splices = slices.Clone(splices)
	slices.SortStableFunc(splices, func(a, b splice) int { return a.from - b.from })
	var out []byte
	at := 0
	late := false // out has more lines than src[:at]
	copyTo := func(end int) {
		if nl := bytes.IndexByte(src[at:end], '\n'); late && nl >= 0 {
			nl += at + 1
			out = append(out, src[at:nl]...)
			// A column is given because without one an empty file name would mean that there is none.
			out = fmt.Appendf(out, "//line :%d:1\n", 1+bytes.Count(src[:nl], []byte("\n")))
			at, late = nl, false
		}
		out = append(out, src[at:end]...)
		at = end
	}
	for i, s := range splices {
		if s.from < at {
			return nil, &EditError{Edit: s.edit, Err: fmt.Errorf("%w (%s %s)", ErrConflict, splices[i-1].edit.Op, splices[i-1].edit.Decl)}
		}
		copyTo(s.from)
		out = append(out, s.text...)
		if strings.Count(s.text, "\n") > bytes.Count(src[s.from:s.to], []byte("\n")) {
			late = true
		}
		at = s.to
	}
	copyTo(len(src))
	return out, nil
}
