package files

import (
	"runtime"
	"strconv"
	"strings"
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
	cpus := []proc.Named{proc.Text("online", all+"\n"), proc.Text("possible", all+"\n"), proc.Text("present", all+"\n"), proc.Text("offline", "\n"), proc.Text("isolated", "\n"), number("kernel_max", 63)}
	whole := strconv.FormatUint(1<<n-1, 16)
	for i := range n {
		id := strconv.Itoa(i)
		alone := strconv.FormatUint(1<<i, 16) + "\n"
		folder := []proc.Named{more("cache", func() []proc.Named { return caches(id+"\n", alone) }), proc.Dir("topology",
			number("core_id", i), number("physical_package_id", 0), number("die_id", 0),
			proc.Text("core_siblings", whole+"\n"), proc.Text("core_siblings_list", all+"\n"), proc.Text("package_cpus", whole+"\n"), proc.Text("package_cpus_list", all+"\n"), proc.Text("die_cpus_list", all+"\n"),
			proc.Text("thread_siblings", alone), proc.Text("thread_siblings_list", id+"\n"), proc.Text("core_cpus", alone), proc.Text("core_cpus_list", id+"\n"))}
		if i > 0 { // Linux does not let one turn the first one off
			folder = append(folder, number("online", 1))
		}
		cpus = append(cpus, proc.Dir("cpu"+id, folder...))
	}
	nodes := []proc.Named{proc.Text("online", "0\n"), proc.Text("possible", "0\n"), proc.Text("has_cpu", "0\n"), proc.Text("has_memory", "0\n"), proc.Text("has_normal_memory", "0\n"),
		proc.Dir("node0", proc.Text("cpulist", all+"\n"), proc.Text("cpumap", whole+"\n"), proc.Text("distance", "10\n"), proc.Make("meminfo", nodeMemory))}
	return proc.New(magic, &proc.Folder{Names: []proc.Named{
		more("block", sysDisks), proc.Dir("bus"), proc.Dir("firmware"), proc.Dir("power"),
		proc.Dir("class", more("block", sysLinks(func(u *fs.DiskUse) string { return u.Name })), more("net", sysInterfaces), proc.Dir("thermal"), proc.Dir("hwmon")),
		proc.Dir("dev", more("block", sysLinks(diskDev)), proc.Dir("char")),
		proc.Dir("devices", proc.Dir("system", proc.Dir("cpu", cpus...), proc.Dir("node", nodes...))),
		proc.Dir("fs", proc.Dir("cgroup")),
		proc.Dir("kernel", proc.Dir("mm", proc.Dir("transparent_hugepage", proc.Text("enabled", "[always] madvise never\n"), number("hpage_pmd_size", 2<<20)))),
		proc.Dir("module"),
	}})
}

// nodeMemory is meminfo of the one node.
func nodeMemory() []byte {
	var b strings.Builder
	for line := range strings.Lines(string(procMemory())) {
		b.WriteString("Node 0 " + line)
	}
	return []byte(b.String())
}

// caches are a CPU's, as CPUID's leaf of deterministic cache parameters has them (SDM vol. 2, CPUID, leaf 4; AMD64 vol. 3, E.4.15, Fn8000_001D), which all are told to have for themselves:
// which CPUs share one the machine's maker says, and emulators seldom.
func caches(list, mask string) (found []proc.Named) {
	leaf := uint32(leafCaches)
	if register(leaf, 0, 0)&31 == 0 {
		leaf = leafMoreCaches
	}
	for i := range uint32(8) {
		kind := [4]string{"", "Data", "Instruction", "Unified"}[register(leaf, i, 0)&3]
		if kind == "" {
			break
		}
		shape := register(leaf, i, 1)
		line, parts, ways, sets := int(shape&0xfff)+1, int(shape>>12&0x3ff)+1, int(shape>>22)+1, int(register(leaf, i, 2))+1
		found = append(found, proc.Dir("index"+strconv.Itoa(int(i)), number("level", int(register(leaf, i, 0)>>5&7)), proc.Text("type", kind+"\n"), proc.Text("size", strconv.Itoa(line*parts*ways*sets/1024)+"K\n"),
			number("coherency_line_size", line), number("physical_line_partition", parts), number("ways_of_associativity", ways), number("number_of_sets", sets),
			proc.Text("shared_cpu_list", list), proc.Text("shared_cpu_map", mask)))
	}
	return found
}

// more is a folder of what list gives, each time that somebody looks.
func more(name string, list func() []proc.Named) proc.Named {
	return proc.Named{Name: name, Node: &proc.Folder{More: list}, Type: syscall.S_IFDIR}
}
