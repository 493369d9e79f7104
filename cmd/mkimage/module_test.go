package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var whole = flag.Bool("whole", false, "run the long ones of other modules' own tests, too")

// others are modules whose own tests, of the package at their root, pass in an image as they do on Linux. What is left out stands beside its reason.
var others = []struct {
	name, module string
	flags        []string
	skip         []string
	long         []string // only with -whole
	again        string   // why what fails has a second try, alone; "": it has none
	volume       bool     // with -whole they run once more, with their files on a volume
}{
	{
		name: "fsnotify", module: "github.com/fsnotify/fsnotify@v1.9.0",
		skip: []string{
			"TestAdd/permission_denied", // for root, to whom nothing is denied
			"TestInotifyOverflow",       // makes as many files as it can in 10 s
		},
		again: "it waits for half a second of the host's time for what is to happen",
	},
	{
		name: "bbolt", module: "go.etcd.io/bbolt@v1.5.0",
		flags: []string{"--memory", "1G", "--cpus", "2"},
		skip: []string{
			"TestBucket_Put_ValueTooLarge", // has a value of 2 GiB
			"TestDB_Open_InitialMmapSize$", // gives a write 5 s of the host's time
		},
		long: []string{
			"TestTx_MoveBucket", "TestDB_Concurrent_WriteTo_and_ConsistentRead", "TestOpen_ReadPageSize_FromMeta1_Given", "TestCursor_QuickCheck",
			"TestBucket_MoveBucket", "TestTx_TruncateBeforeWrite", "TestDB_MaxSize", "TestOpen_Size",
		},
		volume: true,
	},
}

// TestOthers runs them.
func TestOthers(t *testing.T) {
	for _, m := range others {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := call{dir: download(t, m.module)}
			skip := m.skip
			if !*whole {
				skip = slices.Concat(skip, m.long)
			}
			test := func(flags []string, args ...string) {
				c.mkimage(t, slices.Concat([]string{"test"}, m.flags, flags, []string{".", "--", "-test.short", "-test.skip", strings.Join(skip, "|")}, args)...)
			}
			test(nil)
			if failed := failedTests(c.stdout); m.again != "" && c.code == 1 && len(failed) > 0 {
				t.Logf("%s have a second try: %s", failed, m.again)
				test(nil, "-test.run", "^("+strings.Join(failed, "|")+")$")
			}
			c.want(t, 0, "ok")
			if *whole && m.volume {
				v := filepath.Join(t.TempDir(), "v.img") // not beside the tests, whose files go into their image
				c.mkimage(t, "fs", "mkfs", "--size", "4G", v)
				c.want(t, 0)
				test([]string{"--disk", v + ":/data", "--env", "TMPDIR=/data"})
				c.want(t, 0, "ok")
			}
		})
	}
}

// failedTests are those that a test's output says failed, without their parts.
func failedTests(output string) (names []string) {
	for line := range strings.Lines(output) {
		if name, is := strings.CutPrefix(line, "--- FAIL: "); is {
			names = append(names, strings.Fields(name)[0])
		}
	}
	return names
}

// download is a module's folder, outside of the module cache, in which an overlay reaches no package.
func download(t *testing.T, module string) string {
	t.Helper()
	get := exec.Command("go", "mod", "download", "-json", module)
	get.Dir = t.TempDir()
	get.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := get.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var at struct{ Dir string }
	if err := json.Unmarshal(out, &at); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(get.Dir, os.DirFS(at.Dir)); err != nil {
		t.Fatal(err)
	}
	return get.Dir
}
