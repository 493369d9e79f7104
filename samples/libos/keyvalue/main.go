// Command keyvalue has a filesystem of its own, package logkv, on its first disk at /kv, and uses it by package os. Each time that it boots it finds what the times before have
// left; where the disk holds nothing, it makes one.
//
//	mkimage run --disk kv.img ./samples/libos/keyvalue
//
// Of a disk that holds neither cffs nor FAT the image says so first; it writes nothing to it.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing/fstest"

	"github.com/hardtack-os/hardtack/libos/fs/drives"
	"github.com/hardtack-os/hardtack/libos/posix/files"
	"github.com/hardtack-os/hardtack/samples/libos/keyvalue/logkv"
)

func main() {
	disks := drives.Open(func(err error) { fmt.Println(err) })
	if len(disks) == 0 {
		fmt.Println("the machine has no disk")
		os.Exit(1)
	}
	kv, err := logkv.Mount(disks[0])
	if err != nil && err != logkv.ErrBlank {
		fmt.Println(err)
		os.Exit(1)
	}
	if err != nil {
		fmt.Println(err, "- one is made")
		must(logkv.Format(disks[0]))
		kv, err = logkv.Mount(disks[0])
		must(err)
	}
	must(os.Mkdir("/kv", 0o755))
	if _, e := files.Tree.Mount("/kv", "logkv", kv); e != 0 {
		must(e)
	}
	boots := 0
	if b, err := os.ReadFile("/kv/boots"); err == nil {
		boots, err = strconv.Atoi(string(b))
		must(err)
	}
	for i := range boots {
		b, err := os.ReadFile(fmt.Sprint("/kv/boot", i))
		must(err)
		if string(b) != fmt.Sprint(i, i) {
			panic(string(b))
		}
	}
	must(os.WriteFile(fmt.Sprint("/kv/boot", boots), fmt.Append(nil, boots, boots), 0o644))
	must(os.WriteFile("/kv/new", strconv.AppendInt(nil, int64(boots+1), 10), 0o644))
	must(os.Rename("/kv/new", "/kv/boots"))
	for range 100 { // more than the log has room for
		must(os.WriteFile("/kv/often", make([]byte, 10_000), 0o644))
		f, err := os.Open("/kv/often")
		must(err)
		must(f.Sync())
		must(f.Close())
	}
	if err := os.Mkdir("/kv/folder", 0o755); !os.IsPermission(err) {
		panic(err)
	}
	must(fstest.TestFS(os.DirFS("/kv"), "boots", fmt.Sprint("boot", boots), "often"))
	var s syscall.Statfs_t
	must(syscall.Statfs("/kv", &s))
	fmt.Println("boot", boots, "found all:", s.Bfree < s.Blocks)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
