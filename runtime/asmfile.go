package runtime

import (
	"bytes"
	"regexp"
	"strings"
)

// patchAsm makes DropText edits in one assembly file. Errors are [*EditError], without a version.
func patchAsm(src []byte, edits []Edit) ([]byte, error) {
	var splices []splice
	for _, e := range edits {
		found := dropText(src, e.Decl)
		if len(found) == 0 {
			return nil, &EditError{Edit: e, Err: ErrNoSymbol}
		}
		for _, s := range found {
			s.edit = e
			splices = append(splices, s)
		}
	}
	// apply gives each line back its line end, so no //line, which assembly does not know, is ever written.
	return apply(src, splices)
}

// dropText empties the lines of every TEXT block of a symbol (there may be one on each side of an #ifdef). A block
// ends before the next top-level line; inside it, lines of the preprocessor stay, since other blocks may need them.
func dropText(src []byte, symbol string) []splice {
	var splices []splice
	inside, directive := false, false
	at := 0
	for line := range bytes.Lines(src) {
		text := strings.TrimRight(string(line), "\r\n")
		isDirective := directive || strings.HasPrefix(strings.TrimSpace(text), "#")
		directive = isDirective && strings.HasSuffix(text, `\`)
		if !isDirective {
			if topLevel.MatchString(text) {
				inside = textSymbol(text) == symbol
			}
			if inside {
				splices = append(splices, splice{from: at, to: at + len(text)})
			}
		}
		at += len(line)
	}
	return splices
}

// topLevel matches what ends a TEXT block: the next one, data, or a macro used at the start of a line, where
// instructions are never written.
var topLevel = regexp.MustCompile(`^\s*(TEXT|DATA|GLOBL)\s|^[A-Za-z_][A-Za-z_0-9]*\(`)

// textLine matches a TEXT line: the symbol, and perhaps <> or <ABIInternal> behind it.
var textLine = regexp.MustCompile(`^\s*TEXT\s+([^\s(<]+)(<[^>]*>)?\(SB\)`)

// textSymbol returns the symbol of a TEXT line, or nothing.
func textSymbol(line string) string {
	if m := textLine.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}
