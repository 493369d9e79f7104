package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/cffs"
)

// TestFSCheckBack checks a volume of whose last commit a block cannot be read, and has it go back. The block is one of a file in a mounted volume, where it is damaged; of that file the rest is read as it is.
func TestFSCheckBack(t *testing.T) {
	t.Parallel()
	fuses(t)
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	var lost []byte
	for i := range 300 {
		lost = fmt.Appendf(lost, "line %d of the last commit\n", i)
	}
	disk := block.NewMemory(make([]byte, 4<<20))
	if err := cffs.Format(disk, cffs.FormatOptions{Label: "mine"}); err != nil {
		t.Fatal(err)
	}
	v, err := cffs.Mount(disk, cffs.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kept", "lost"} {
		data := map[string][]byte{"kept": []byte("of the one before"), "lost": lost}[name]
		n, e := v.Root().Create(name, syscall.S_IFREG|0o644, 0)
		if e != 0 {
			t.Fatal(e)
		}
		if _, _, e := n.(fs.File).WriteAt(data, 0); e != 0 {
			t.Fatal(e)
		}
		if e := v.Sync(); e != 0 { // and it is not unmounted
			t.Fatal(e)
		}
	}
	c := call{dir: dir}
	if err := os.WriteFile(filepath.Join(dir, "v.img"), disk.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	c.mkimage(t, "fs", "mkfs", "--size", "16M", "outer.img")
	c.want(t, 0)
	c.mkimage(t, "fs", "cp", "v.img", "outer.img:/v.img")
	c.want(t, 0)
	outer := filepath.Join(dir, "outer.img")
	b, err := os.ReadFile(outer)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, lost[:4096])
	if at < 0 || bytes.Contains(b[at+1:], lost[:4096]) {
		t.Fatal("the block is not there once", at)
	}
	b[at+100] ^= 1
	if err := os.WriteFile(outer, b, 0o644); err != nil {
		t.Fatal(err)
	}

	server := serve(t, outer, mnt)
	defer func() { // before the test's context ends, which kills it
		if err := end(server, syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}()
	inner := filepath.Join(mnt, "v.img")
	bad := bytes.Index(disk.Bytes(), lost[:4096])
	got := make([]byte, len(disk.Bytes()))
	f, err := os.Open(inner)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(got); i += 4096 {
		if n, err := f.ReadAt(got[i:i+4096], int64(i)); i == bad != (err != nil) || err == nil && !bytes.Equal(got[i:i+n], disk.Bytes()[i:i+4096]) {
			t.Fatalf("block %d: %d, %v", i/4096, n, err)
		}
	}
	f.Close()

	for _, flags := range [][]string{nil, {"--quick"}, {"--repair"}} {
		c.mkimage(t, append([]string{"fs", "check", inner}, flags...)...)
		c.want(t, 1, "may have been made durable, or may not: its block ", "cannot be read", "input/output error", "what follows is about the volume as the one before left it", "1 files, 1 folders")
		if said := strings.Contains(c.stderr, "a repair that is told to goes back"); said != (len(flags) > 0 && flags[0] == "--repair") {
			t.Errorf("%v: %s", flags, c.stderr)
		}
	}
	c.mkimage(t, "fs", "ls", inner)
	if c.want(t, 0, "kept"); strings.Contains(c.stdout, "lost") {
		t.Error(c.stdout)
	}
	c.mkimage(t, "fs", "check", "--back", inner)
	c.want(t, 0, "went back to the commit before the last: commit ")
	c.mkimage(t, "fs", "check", inner)
	c.want(t, 0, "1 files, 1 folders", ", 0 problems")
	c.mkimage(t, "fs", "cat", inner+":/kept")
	c.want(t, 0, "of the one before")
	c.mkimage(t, "fs", "check", "--back", inner) // there is nothing to go back from
	c.want(t, 0, ", 0 problems")
	if strings.Contains(c.stdout, "went back") {
		t.Error(c.stdout)
	}
}
