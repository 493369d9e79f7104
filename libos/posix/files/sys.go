package files

import (
	"runtime"
	"strconv"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/proc"
)

// newSys makes /sys: sysfs(5), what programs look at that count CPUs and ask what the machine is.
func newSys() fs.FileSystem {
	const magic = 0x62656572
	n := runtime.NumCPU()
	all := "0"
	if n > 1 {
		all += "-" + strconv.Itoa(n-1)
	}
	cpus := []proc.Named{proc.Text("online", all+"\n"), proc.Text("possible", all+"\n"), proc.Text("present", all+"\n"), proc.Text("offline", "\n")}
	for i := range n {
		id := strconv.Itoa(i)
		cpus = append(cpus, proc.Dir("cpu"+id, proc.Dir("topology",
			proc.Text("core_id", id+"\n"), proc.Text("physical_package_id", "0\n"), proc.Text("core_siblings_list", all+"\n"), proc.Text("thread_siblings_list", id+"\n"))))
	}
	return proc.New(magic, &proc.Folder{Names: []proc.Named{
		more("block", sysDisks), proc.Dir("bus"), proc.Dir("firmware"), proc.Dir("power"),
		proc.Dir("class", more("block", sysLinks(func(u *fs.DiskUse) string { return u.Name })), more("net", sysInterfaces), proc.Dir("thermal"), proc.Dir("hwmon")),
		proc.Dir("dev", more("block", sysLinks(diskDev)), proc.Dir("char")),
		proc.Dir("devices", proc.Dir("system", proc.Dir("cpu", cpus...), proc.Dir("node"))),
		proc.Dir("fs", proc.Dir("cgroup")),
		proc.Dir("kernel", proc.Dir("mm", proc.Dir("transparent_hugepage", proc.Text("enabled", "[always] madvise never\n"), proc.Text("hpage_pmd_size", "2097152\n")))),
		proc.Dir("module"),
	}})
}

// more is a folder of what list gives, each time that somebody looks.
func more(name string, list func() []proc.Named) proc.Named {
	return proc.Named{Name: name, Node: &proc.Folder{More: list}, Type: syscall.S_IFDIR}
}
