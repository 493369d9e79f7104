//go:build !hardtack

package image

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var shownFile = regexp.MustCompile(`(?m)^file (\w+) (\S+)$`)

// files takes the files that a guest printed.
func (r result) files(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	paths := map[string]string{}
	for _, m := range shownFile.FindAllStringSubmatch(r.console, -1) {
		b, err := base64.StdEncoding.DecodeString(m[2])
		if err != nil {
			t.Fatal(err)
		}
		paths[m[1]] = filepath.Join(dir, m[1])
		if err := os.WriteFile(paths[m[1]], b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if r.code != 0 || len(paths) == 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.console[:min(len(r.console), shown)])
	}
	return paths
}

// goTool runs one of Go's own tools.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"tool"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go tool %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out)
}

// TestCPUProfile has each CPU busy for a second and idle for half a second, of the guest's own time: a busy host takes
// CPUs away, and a sample is only taken where one runs.
func TestCPUProfile(t *testing.T) {
	for _, cpus := range []int{1, 2} {
		files := run(t, "plain", machine{cpus: cpus, more: []string{"-icount", "shift=3,sleep=off"}}, "profile").files(t)
		raw := goTool(t, "pprof", "-raw", files["cpu"])
		all, busy := 0, 0
		ids := map[string]bool{} // locations in busyLoop
		for _, m := range regexp.MustCompile(`(?m)^ +(\d+): 0x\w+ .*main\.busyLoop\b`).FindAllStringSubmatch(raw, -1) {
			ids[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`(?m)^ +(\d+) +\d+: ([\d ]+)$`).FindAllStringSubmatch(raw, -1) {
			n, _ := strconv.Atoi(m[1])
			all += n
			for id := range strings.FieldsSeq(m[2]) {
				if ids[id] {
					busy += n
					break
				}
			}
		}
		if want := 100 * cpus; busy < want*6/10 || busy > want*13/10 || all > busy+want/4 {
			t.Errorf("%d CPUs: %d samples in busyLoop of %d, want about %d\n%s", cpus, busy, all, want, raw[:min(len(raw), shown)])
		}
	}
}

func TestOtherProfiles(t *testing.T) {
	t.Parallel()
	files := run(t, "plain", machine{cpus: 2}, "profiles").files(t)
	for name, function := range map[string]string{"heap": "main.allocator", "block": "main.holder", "mutex": "main.holder", "goroutine": "main.otherProfiles"} {
		if raw := goTool(t, "pprof", "-raw", files[name]); !strings.Contains(raw, function) {
			t.Errorf("no %s in the %s profile:\n%s", function, name, raw)
		}
	}
}

// TestTrace has Go's own tool read what runtime/trace wrote.
func TestTrace(t *testing.T) {
	t.Parallel()
	files := run(t, "plain", machine{cpus: 2}, "trace").files(t)
	events := goTool(t, "trace", "-d=parsed", files["trace"])
	for _, want := range []string{"StateTransition", "main.holder", "main.busyLoop", "RangeBegin", "GC concurrent mark phase"} {
		if !strings.Contains(events, want) {
			t.Errorf("no %q in the trace of %d bytes", want, len(events))
		}
	}
}
