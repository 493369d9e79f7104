package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestKeyValue: a program with a filesystem of its own finds its files when it boots again, and testing/fstest nothing to say against it. Disks that hold something else, or nothing
// that was to be formatted, are refused, and nothing is written to them.
func TestKeyValue(t *testing.T) {
	t.Parallel()
	disk := filepath.Join(t.TempDir(), "kv.img")
	if err := os.WriteFile(disk, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	const sample = "../../samples/libos/keyvalue"
	refused := func(option string, says ...string) {
		t.Helper()
		before, err := os.ReadFile(disk)
		if err != nil {
			t.Fatal(err)
		}
		var c call
		c.mkimage(t, "run", "--disk", disk+":/kv"+option, sample)
		c.want(t, 2, says...)
		if after, err := os.ReadFile(disk); err != nil || !bytes.Equal(before, after) {
			t.Error("the disk was written to", err)
		}
	}
	refused("", "/kv is not mounted: ", "it is not formatted", "input/output error")
	refused(",format=other", "/kv is not mounted: ", "no filesystem called other", "input/output error")
	for boot := range 3 {
		option := ""
		if boot != 1 {
			option = ",format=logkv"
		}
		var c call
		c.mkimage(t, "run", "--disk", disk+":/kv"+option, sample)
		c.want(t, 0, fmt.Sprintf("boot %d found all: true", boot))
	}
	refused(",ro", "read-only file system")
	foreign := make([]byte, 1<<20)
	copy(foreign[512:], "EFI PART")
	if err := os.WriteFile(disk, foreign, 0o644); err != nil {
		t.Fatal(err)
	}
	refused(",format=logkv", "/kv is not mounted: ", "GPT partition table", "input/output error")
}
