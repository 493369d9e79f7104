package tcp

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestRFC9293: the page names each MUST once, functions that keep it and tests that hold it, and these exist.
func TestRFC9293(t *testing.T) {
	page, err := os.ReadFile("RFC9293.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	read := func(name string) string {
		if s, ok := files[name]; ok {
			return s
		}
		var all strings.Builder
		list, _ := filepath.Glob(name)
		for _, f := range list {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
		files[name] = all.String()
		return all.String()
	}
	has := func(source, function string) bool {
		return regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + regexp.QuoteMeta(function) + `[(\[]`).MatchString(source)
	}
	code := regexp.MustCompile("`([^`]+)`")
	const last = 69 // of appendix B
	seen := map[int]bool{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		if seen[n] || n < 1 || n > last {
			t.Errorf("MUST-%d is here twice, or does not exist", n)
		}
		seen[n] = true
		keeps, holds := code.FindAllStringSubmatch(cells[3], -1), code.FindAllStringSubmatch(cells[4], -1)
		if len(keeps) == 0 || len(holds) == 0 {
			t.Errorf("MUST-%d: nothing keeps it, or no test holds it", n)
		}
		for _, k := range keeps {
			file, function, _ := strings.Cut(k[1], " ")
			if source := read(file) + read("../"+file); !has(source, function) {
				t.Errorf("MUST-%d: %s has no function %s", n, file, function)
			}
		}
		for _, h := range holds {
			folder, test, ok := strings.Cut(h[1], " ")
			switch {
			case !ok:
				folder, test = ".", folder
			case folder == "net":
				folder = ".."
			default:
				folder = "../" + folder
			}
			if !has(read(folder+"/*_test.go"), test) {
				t.Errorf("MUST-%d: there is no test %s", n, h[1])
			}
		}
	}
	for n := 1; n <= last; n++ {
		if !seen[n] {
			t.Errorf("MUST-%d is missing", n)
		}
	}
}
