package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestKeyValue: a program with a filesystem of its own finds its files when it boots again, and testing/fstest nothing to say against it.
func TestKeyValue(t *testing.T) {
	t.Parallel()
	disk := filepath.Join(t.TempDir(), "kv.img")
	if err := os.WriteFile(disk, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, 1<<20); err != nil {
		t.Fatal(err)
	}
	for boot := range 3 {
		var c call
		c.mkimage(t, "run", "--disk", disk, "../../samples/libos/keyvalue")
		c.want(t, 0, fmt.Sprintf("boot %d found all: true", boot))
	}
}
