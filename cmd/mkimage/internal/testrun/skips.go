package testrun

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

// skipText lists tests of the standard library that cannot pass in an image.
//
//go:embed skips.txt
var skipText string

// A skip is one line of skips.txt.
type skip struct{ pkg, test, reason string }

// everything is the name of a test that stands for all of a package's.
const everything = "*"

// testName finds where a test's name begins in "encoding/json.TestX/sub".
var testName = regexp.MustCompile(`\.(Test|Example|Fuzz|Benchmark|\*$)`)

// parseSkips reads lines of the form "package.Test, reason" or
// "package.*, reason". Empty lines and lines that begin with # mean nothing.
func parseSkips(text string) ([]skip, error) {
	var skips []skip
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ", ")
		at := testName.FindStringIndex(name)
		if !ok || at == nil || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("skips.txt:%d: want \"package.Test, reason\", have %q", n, line)
		}
		skips = append(skips, skip{name[:at[0]], name[at[0]+1:], strings.TrimSpace(reason)})
	}
	return skips, nil
}

// skipWhole returns why a package cannot be tested at all, "" if it can.
func skipWhole(skips []skip, pkg string) string {
	for _, s := range skips {
		if s.pkg == pkg && s.test == everything {
			return s.reason
		}
	}
	return ""
}

// skipPattern returns the value of -test.skip for a package, "" for none.
func skipPattern(skips []skip, pkg string) string {
	var alternatives []string
	for _, s := range skips {
		if s.pkg != pkg {
			continue
		}
		elements := strings.Split(s.test, "/")
		for i, e := range elements {
			elements[i] = "^" + regexp.QuoteMeta(e) + "$"
		}
		alternatives = append(alternatives, strings.Join(elements, "/"))
	}
	return strings.Join(alternatives, "|")
}
