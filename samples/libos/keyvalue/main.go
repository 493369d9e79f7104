// Command keyvalue has a filesystem of its own, package logkv, and uses it by package os. Each time that it boots it finds what the times before have left.
//
//	mkimage run --disk kv.img:/kv,format=logkv ./samples/libos/keyvalue
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing/fstest"

	booted "github.com/hardtack-os/hardtack/samples/libos/keyvalue/boots"
	_ "github.com/hardtack-os/hardtack/samples/libos/keyvalue/logkv" // registers
)

func main() {
	boots := booted.Before
	for i := range boots {
		b, err := os.ReadFile(fmt.Sprint("/kv/boot", i))
		must(err)
		if string(b) != fmt.Sprint(i, i) {
			panic(string(b))
		}
	}
	must(os.WriteFile(fmt.Sprint("/kv/boot", boots), fmt.Append(nil, boots, boots), 0o644))
	must(os.WriteFile("/kv/new", strconv.AppendInt(nil, int64(boots+1), 10), 0o644))
	must(os.Rename("/kv/new", booted.File))
	for range 100 { // more than the log has room for
		must(os.WriteFile("/kv/often", make([]byte, 10_000), 0o644))
		f, err := os.Open("/kv/often")
		must(err)
		must(f.Sync())
		must(f.Close())
	}
	if err := os.Mkdir("/kv/folder", 0o755); !os.IsPermission(err) { // it has files only
		panic(err)
	}
	must(fstest.TestFS(os.DirFS("/kv"), "boots", fmt.Sprint("boot", boots), "often"))
	mounts, err := os.ReadFile("/proc/mounts")
	must(err)
	if !strings.Contains(string(mounts), " /kv logkv ") {
		panic(string(mounts))
	}
	var s syscall.Statfs_t
	must(syscall.Statfs("/kv", &s))
	fmt.Println("boot", boots, "found all:", s.Bfree < s.Blocks)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
