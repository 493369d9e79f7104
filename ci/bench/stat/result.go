package stat

import (
	"fmt"
	"strconv"
	"strings"
)

// A Result is a figure that a guest program reports: a line "RESULT name value unit" on its standard output.
type Result struct {
	Name  string
	Value float64
	Unit  string
}

// ResultPrefix begins every result line.
const ResultPrefix = "RESULT "

// ParseResult reads one line of output. A line that is no result gives ok false, and so does a damaged one.
func ParseResult(line string) (r Result, ok bool) {
	rest, ok := strings.CutPrefix(line, ResultPrefix)
	f := strings.Fields(rest)
	if !ok || len(f) != 3 {
		return Result{}, false
	}
	v, err := strconv.ParseFloat(f[1], 64)
	return Result{f[0], v, f[2]}, err == nil
}

// Find returns the value of the named result among lines, which must be in the given unit.
func Find(lines []string, name, unit string) (float64, error) {
	for _, l := range lines {
		if r, ok := ParseResult(l); ok && r.Name == name {
			if r.Unit != unit {
				return 0, fmt.Errorf("the program reports %s in %s, not in %s", name, r.Unit, unit)
			}
			return r.Value, nil
		}
	}
	return 0, fmt.Errorf("the program printed no line %q", ResultPrefix+name+" VALUE "+unit)
}
