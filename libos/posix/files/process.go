package files

import (
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/proc"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// The process in /proc: proc_pid(5). All of it is computed when somebody reads.

// processFiles are the files that the process and its threads have in common.
func processFiles() []proc.Named {
	list := []proc.Named{
		proc.Make("cmdline", func() []byte { return zeroEnded(os.Args) }),
		proc.Make("comm", func() []byte { return []byte(comm() + "\n") }),
		proc.Make("environ", func() []byte { return zeroEnded(os.Environ()) }),
		proc.Make("auxv", procAuxv),
		proc.Make("stat", func() []byte { return procStat(posix.PID, 0, posix.CPUTime()) }), proc.Make("statm", procStatm),
		proc.Make("status", func() []byte { return procStatus(posix.PID) }), proc.Make("schedstat", func() []byte { return procSchedstat(posix.CPUTime()) }),
		proc.Make("limits", procLimits), proc.Make("mounts", procMounts), proc.Make("mountinfo", procMountinfo), proc.Make("mountstats", procMountstats),
		proc.Text("cgroup", "0::/\n"), proc.Make("maps", func() []byte { return Maps() }), proc.Make("smaps", func() []byte { return SMaps() }), proc.Make("smaps_rollup", procRollup),
		proc.Text("oom_score", "0\n"), // as of all with the number 1
		proc.Setting("oom_score_adj", func() []byte { return []byte(strconv.Itoa(int(oomAdjust.Load())) + "\n") }, setOOMAdjust),
		proc.Text("wchan", "0"), proc.Text("personality", "00000000\n"), proc.Text("coredump_filter", "00000033\n"), proc.Text("loginuid", "4294967295"), proc.Text("sessionid", "4294967295"),
		proc.Text("uid_map", "         0          0 4294967295\n"), proc.Text("gid_map", "         0          0 4294967295\n"), proc.Text("setgroups", "allow\n"),
		proc.Symlink("exe", executable),
		proc.Magic("cwd", pathOf(here), func() (fs.Place, fs.Errno) { return here(), 0 }),
		proc.Magic("root", func() string { return "/" }, func() (fs.Place, fs.Errno) { return Tree.Root(), 0 }),
		more("fd", descriptors), more("fdinfo", descriptions),
		proc.Dir("ns", namespaces()...),
		proc.Make("io", procIO),
	}
	return list
}

// oomAdjust is what was written to oom_score_adj. Nothing looks at it: there is nobody else to be ended.
var oomAdjust atomic.Int32

// setOOMAdjust is a write to oom_score_adj. EINVAL.
func setOOMAdjust(b []byte) fs.Errno {
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < -1000 || n > 1000 {
		return syscall.EINVAL
	}
	oomAdjust.Store(int32(n))
	return 0
}

// procAuxv is auxv: what the runtime was started with, pairs of words up to one of zeroes.
func procAuxv() []byte {
	var b []byte
	for _, word := range auxv() {
		b = binary.NativeEndian.AppendUint64(b, uint64(word))
	}
	return append(b, make([]byte, 16)...)
}

// thread is the caller's, or the process where it does not know.
func thread() int {
	id, e := posix.RawCall(syscall.SYS_GETTID, [6]uintptr{})
	if e != 0 {
		return posix.PID
	}
	return int(id)
}

// tasks are the threads. Each has its share of what they have run together, and besides all that the process has.
func tasks() (list []proc.Named) {
	threads := posix.Threads()
	share := posix.CPUTime() / int64(max(len(threads), 1))
	for _, t := range threads {
		files := processFiles()
		for i, f := range files {
			switch f.Name {
			case "stat":
				files[i] = proc.Make("stat", func() []byte { return procStat(t.ID, t.CPU, share) })
			case "status":
				files[i] = proc.Make("status", func() []byte { return procStatus(t.ID) })
			case "schedstat":
				files[i] = proc.Make("schedstat", func() []byte { return procSchedstat(share) })
			}
		}
		list = append(list, proc.Dir(strconv.Itoa(t.ID), files...))
	}
	return list
}

// peak is the most memory that somebody who looked has seen in use.
var peak struct {
	sync.Mutex
	bytes uint64
}

// memoryPeak notes what is in use, and gives the most that was.
func memoryPeak(used uint64) uint64 {
	peak.Lock()
	defer peak.Unlock()
	peak.bytes = max(peak.bytes, used)
	return peak.bytes
}

// procStat is stat of the process, or of a thread that ran last on a CPU, and has run for so many nanoseconds. The process was started with the machine.
func procStat(id, cpu int, ran int64) []byte {
	const endsBy = 17 // SIGCHLD
	used := residentMemory()
	text, etext, data, end := posix.Image()
	_, threads := running()
	decimal := func(n uint64) string { return strconv.FormatUint(n, 10) }
	f := []string{strconv.Itoa(id), "(" + comm() + ")", "R", "0", "1", "1", "0", "-1", "0", decimal(faults()), "0", "0", "0", ticks(ran), "0", "0", "0", "20", "0",
		strconv.Itoa(threads), "0", "0", decimal(used), decimal(used / 4096), decimal(1<<64 - 1), decimal(uint64(text)), decimal(uint64(etext))}
	for len(f) < 52 {
		f = append(f, "0")
	}
	f[37], f[38] = strconv.Itoa(endsBy), strconv.Itoa(cpu)
	f[44], f[45] = decimal(uint64(data)), decimal(uint64(end))
	return []byte(strings.Join(f, " ") + "\n")
}

func procStatm() []byte {
	const page = 4096
	n := residentMemory() / page
	mapped, _ := Mapped()
	text, etext, _, _ := posix.Image()
	var b []byte
	for _, v := range []uint64{n, n, min(mapped/page, n), uint64(etext-text) / page, 0, n - min(uint64(etext-text)/page, n), 0} {
		b = append(strconv.AppendUint(b, v, 10), ' ')
	}
	b[len(b)-1] = '\n'
	return b
}

// procSchedstat is schedstat: nanoseconds on a CPU, waiting for one, which nobody counts, and how often it got one.
func procSchedstat(ran int64) []byte {
	_, all, _ := works()
	return []byte(strconv.FormatInt(ran, 10) + " 0 " + strconv.FormatUint(all.Switches, 10) + "\n")
}

// lastCapability is CAP_CHECKPOINT_RESTORE (capabilities(7)), the last one of the release that uname tells.
const lastCapability = 40

// privileges are the program's.
func privileges() posix.Privileges {
	if posix.ToldPrivileges != nil {
		return posix.ToldPrivileges()
	}
	const all = 1<<(lastCapability+1) - 1
	return posix.Privileges{Permitted: all, Effective: all, Bounding: all}
}

// signals are those that the program ignores and that it catches, a bit each from the lowest on.
func signals() (ignored, caught uint64) {
	const deflt, ignore = 0, 1 // SIG_DFL, SIG_IGN
	for sig := 1; sig <= 64; sig++ {
		switch handler(sig) {
		case deflt:
		case ignore:
			ignored |= 1 << (sig - 1)
		default:
			caught |= 1 << (sig - 1)
		}
	}
	return ignored, caught
}

// procStatus is status of the process, or of a thread. Switches of threads are those of all of them.
func procStatus(id int) []byte {
	used := residentMemory()
	most := memoryPeak(used)
	mapped, copies := Mapped()
	file := min(mapped-min(copies, mapped), used)
	text, etext, _, _ := posix.Image()
	threads := posix.Threads()
	ignored, caught := signals()
	p := privileges()
	_, all, _ := works()
	size := 64
	for fd := range posix.Descriptors() {
		for fd >= size {
			size *= 2
		}
	}
	n := runtime.NumCPU()
	allowed := "0"
	if n > 1 {
		allowed += "-" + strconv.Itoa(n-1)
	}
	number := strconv.Itoa
	noNew := "0"
	if p.NoNew {
		noNew = "1"
	}
	bits := func(v uint64) string { return padded(strconv.FormatUint(v, 16), 16) }
	var b strings.Builder
	for _, l := range [][2]string{
		{"Name", comm()}, {"Umask", padded(strconv.FormatUint(uint64(posix.Mask()), 8), 4)}, {"State", "R (running)"}, {"Tgid", number(posix.PID)}, {"Ngid", "0"}, {"Pid", number(id)}, {"PPid", "0"}, {"TracerPid", "0"},
		{"Uid", "0\t0\t0\t0"}, {"Gid", "0\t0\t0\t0"}, {"FDSize", number(size)}, {"Groups", " "}, {"NStgid", number(posix.PID)}, {"NSpid", number(id)}, {"NSpgid", number(posix.PID)}, {"NSsid", number(posix.PID)},
		{"VmPeak", memory(most)}, {"VmSize", memory(used)}, {"VmLck", memory(0)}, {"VmPin", memory(0)}, {"VmHWM", memory(most)}, {"VmRSS", memory(used)},
		{"RssAnon", memory(used - file)}, {"RssFile", memory(file)}, {"RssShmem", memory(0)},
		{"VmData", memory(used - file)}, {"VmStk", memory(0)}, {"VmExe", memory(uint64(etext - text))}, {"VmLib", memory(0)}, {"VmPTE", memory(0)}, {"VmSwap", memory(0)},
		{"CoreDumping", "0"}, {"Threads", number(len(threads))}, {"SigQ", "0/16384"},
		{"SigPnd", bits(0)}, {"ShdPnd", bits(0)}, {"SigBlk", bits(0)}, {"SigIgn", bits(ignored)}, {"SigCgt", bits(caught)},
		{"CapInh", bits(p.Inheritable)}, {"CapPrm", bits(p.Permitted)}, {"CapEff", bits(p.Effective)}, {"CapBnd", bits(p.Bounding)}, {"CapAmb", bits(0)}, {"NoNewPrivs", noNew}, {"Seccomp", "0"}, {"Seccomp_filters", "0"},
		{"Cpus_allowed", strconv.FormatUint(1<<n-1, 16)}, {"Cpus_allowed_list", allowed}, {"Mems_allowed", "1"}, {"Mems_allowed_list", "0"},
		{"voluntary_ctxt_switches", strconv.FormatUint(all.Switches-min(all.Forced, all.Switches), 10)}, {"nonvoluntary_ctxt_switches", strconv.FormatUint(all.Forced, 10)},
	} {
		b.WriteString(l[0] + ":\t" + l[1] + "\n")
	}
	return []byte(b.String())
}

// memory is bytes as status has them.
func memory(bytes uint64) string { return right(8, int64(bytes/1024)) + " kB" }

// padded has zeroes before it.
func padded(s string, width int) string { return strings.Repeat("0", max(0, width-len(s))) + s }

func procMountstats() []byte {
	var b strings.Builder
	for _, m := range mounts() {
		b.WriteString("device " + escaped(m.Source) + " mounted on " + escaped(m.Path) + " with fstype " + m.Type + "\n")
	}
	return []byte(b.String())
}

// namespaces are the links in ns, with the numbers of Linux's first ones (linux/proc_ns.h): there are no others.
func namespaces() (list []proc.Named) {
	for _, n := range []struct {
		name, kind string
		number     uint64
	}{{"cgroup", "cgroup", 0xeffffffb}, {"ipc", "ipc", 0xefffffff}, {"mnt", "mnt", 0xeffffff8}, {"net", "net", 0xeffffff9}, {"pid", "pid", 0xeffffffc}, {"pid_for_children", "pid", 0xeffffffc},
		{"time", "time", 0xeffffffa}, {"time_for_children", "time", 0xeffffffa}, {"user", "user", 0xeffffffd}, {"uts", "uts", 0xeffffffe}} {
		list = append(list, proc.Magic(n.name, func() string { return n.kind + ":[" + strconv.FormatUint(n.number, 10) + "]" }, func() (fs.Place, fs.Errno) {
			root := Tree.Root()
			root.Drop()
			return fs.Place{Mount: root.Mount, Node: proc.Numbered(n.number)}, 0
		}))
	}
	return list
}

// descriptions are the entries of /proc/self/fdinfo.
func descriptions() (list []proc.Named) {
	for fd := range posix.Descriptors() {
		list = append(list, proc.Make(strconv.Itoa(fd), func() []byte { return describeMore(fd) }))
	}
	return list
}

// describeMore is fdinfo of a descriptor: proc_pid_fdinfo(5).
func describeMore(fd int) []byte {
	const cloexec, largeFile = 0o2000000, 0o100000 // of which open descriptors know nothing here, and Linux tells both
	f := posix.Get(fd)
	if f == nil {
		return nil
	}
	defer f.Put()
	flags := uint64(f.Flags()) | largeFile
	if v, _ := posix.Fcntl(fd, syscall.F_GETFD, 0); v&syscall.FD_CLOEXEC != 0 {
		flags |= cloexec
	}
	pos, mount := int64(0), firstMount-1 // of what is in no mount that is listed
	o := f.Object()
	if p, ok := o.(posix.Positioned); ok {
		if off, e := p.Seek(f, 0, 1); e == 0 {
			pos = off
		}
	}
	if l, ok := o.(located); ok {
		for i, m := range mounts() {
			if m == l.place().Mount {
				mount = firstMount + i
			}
		}
	}
	var st syscall.Stat_t
	o.Stat(&st)
	s := "pos:\t" + strconv.FormatInt(pos, 10) + "\nflags:\t0" + strconv.FormatUint(flags, 8) + "\nmnt_id:\t" + strconv.Itoa(mount) + "\nino:\t" + strconv.FormatUint(st.Ino, 10) + "\n"
	if more, ok := o.(interface{ FDInfo() string }); ok {
		s += more.FDInfo()
	}
	return []byte(s)
}
