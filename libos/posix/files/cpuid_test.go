package files

import (
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// processors are the blocks of a cpuinfo.
func processors(t *testing.T, text string) (list []map[string]string) {
	t.Helper()
	for block := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		m := map[string]string{}
		for line := range strings.Lines(block) {
			key, value, ok := strings.Cut(line, ":")
			if !ok {
				t.Fatalf("%q", line)
			}
			m[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
		list = append(list, m)
	}
	return list
}

// TestCPUInfo: the host says of its processor what we say of it, by the same parser.
func TestCPUInfo(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	host, ours := processors(t, string(text)), processors(t, content(t, "/proc/cpuinfo"))
	for i, cpu := range ours {
		for _, key := range []string{"vendor_id", "cpu family", "model", "model name", "stepping", "fpu", "cpuid level", "wp", "clflush size", "address sizes"} {
			if cpu[key] == "" || cpu[key] != host[0][key] {
				t.Errorf("processor %d: %s is %q, and the host says %q", i, key, cpu[key], host[0][key])
			}
		}
		if cpu["processor"] != strconv.Itoa(i) {
			t.Error(i, cpu["processor"])
		}
		for key := range cpu {
			if _, is := host[0][key]; !is {
				t.Errorf("the host has no %q", key)
			}
		}
		known, all := strings.Fields(cpu["flags"]), strings.Fields(host[0]["flags"])
		if len(known) < 20 {
			t.Errorf("flags: %q", known)
		}
		for _, f := range features {
			for _, name := range strings.Fields(f.names) {
				if slices.Contains(all, name) && !slices.Contains(known, name) {
					t.Errorf("the host has the flag %s", name)
				}
			}
		}
		more := slices.DeleteFunc(known, func(name string) bool { return slices.Contains(all, name) })
		if len(more) > 8 { // some that a host does not use it hides
			t.Errorf("the host has none of %q", more)
		}
		mhz, err := strconv.ParseFloat(cpu["cpu MHz"], 64)
		bogo, err2 := strconv.ParseFloat(cpu["bogomips"], 64)
		judge, _ := strconv.ParseFloat(host[0]["bogomips"], 64)
		if err != nil || err2 != nil || math.Abs(bogo-2*mhz) > 0.1 || math.Abs(bogo-judge) > judge/4 {
			t.Errorf("%f MHz (%v), %f bogomips (%v), and the host has %f", mhz, err, bogo, err2, judge)
		}
	}
}

// TestCaches: the host's caches are as we say, but for who shares them.
func TestCaches(t *testing.T) {
	const dir = "/sys/devices/system/cpu/cpu0/cache/"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Skip("the host does not tell its caches: ", err)
	}
	n := 0
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "index") {
			continue
		}
		n++
		for _, file := range []string{"level", "type", "size", "coherency_line_size", "ways_of_associativity", "number_of_sets"} {
			path := dir + entry.Name() + "/" + file
			judge, err := os.ReadFile(path)
			if err != nil {
				continue // hosts leave out what they do not know
			}
			if got := content(t, path); got != string(judge) {
				t.Errorf("%s: %q, on the host %q", path, got, judge)
			}
		}
	}
	if n == 0 {
		t.Skip("the host does not tell its caches")
	}
}
