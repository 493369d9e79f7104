package files

import (
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/proc"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/load"
)

// The machine in /proc: what its CPUs have done, who locks what, and settings. All of it is computed when somebody reads.

// A counter makes one of 64 bits of one that the machine counts modulo 2^32. It loses 2^32 where nobody looks for as long as that takes.
type counter struct {
	sync.Mutex
	last uint32
	sum  uint64
}

// now reads the machine's. It does so under the lock: who had read it before another, and came behind, would take the step back for one of almost 2^32.
func (c *counter) now(read func() uint32) uint64 {
	c.Lock()
	defer c.Unlock()
	n := read()
	c.sum += uint64(n - c.last)
	c.last = n
	return c.sum
}

// Counters of what the machine counts modulo 2^32.
var (
	interruptCounters [64]counter // by CPU
	vectorCounters    [posix.Vectors]counter
)

// faults is how many page faults there were that brought memory, or pages of files. Which of them waited for a disk nobody counts.
func faults() uint64 { return posix.Faults() + MappedFaults() }

// idle is for how long CPUs have had nothing to run, all together.
func idle() int64 { return max(posix.Uptime()*int64(runtime.NumCPU())-posix.CPUTime(), 0) }

// ticks is a time in hundredths of a second.
func ticks(ns int64) string { return strconv.FormatInt(ns/1e7, 10) }

// works is what each CPU has done, and what all have together, with how many interrupts they took.
func works() (each []posix.Work, all posix.Work, interrupts uint64) {
	for i := range runtime.NumCPU() {
		w := posix.WorkOf(i)
		each = append(each, w)
		all.Busy += w.Busy
		all.Switches += w.Switches
		all.Forced += w.Forced
		if i < len(interruptCounters) {
			interrupts += interruptCounters[i].now(func() uint32 { return posix.WorkOf(i).Interrupts })
		}
	}
	return each, all, interrupts
}

// fired is how often an interrupt vector has fired, and whether somebody has it.
func fired(v int) (n uint64, used bool) {
	n = vectorCounters[v].now(func() (n uint32) {
		n, used = posix.Vector(v)
		return n
	})
	return n, used
}

// running is how many threads have a CPU or want one, and how many there are.
func running() (n, all int) {
	list := posix.Threads()
	for _, t := range list {
		if !t.Waits {
			n++
		}
	}
	return n, len(list)
}

// procSystem is stat. All time is the user's, for the program and its operating system are one. Interrupts are by vectors; "processes" is how many threads there have been at once at most.
func procSystem() []byte {
	each, all, interrupts := works()
	up := posix.Uptime()
	line := func(name string, busy, up int64) string {
		return name + " " + ticks(busy) + " 0 0 " + ticks(max(up-busy, 0)) + " 0 0 0 0 0 0\n"
	}
	s := line("cpu ", all.Busy, up*int64(len(each)))
	for i, w := range each {
		s += line("cpu"+strconv.Itoa(i), w.Busy, up)
	}
	vectors, last := [posix.Vectors]uint64{}, -1
	for v := range vectors {
		n, used := fired(v)
		if vectors[v] = n; n > 0 || used {
			last = v
		}
	}
	s += "intr " + strconv.FormatUint(interrupts, 10)
	for _, n := range vectors[:last+1] {
		s += " " + strconv.FormatUint(n, 10)
	}
	n, _ := running()
	boot := (clock() - up) / 1e9
	return []byte(s + "\nctxt " + strconv.FormatUint(all.Switches, 10) + "\nbtime " + strconv.FormatInt(boot, 10) + "\nprocesses " + strconv.Itoa(posix.MostThreads()) +
		"\nprocs_running " + strconv.Itoa(n) + "\nprocs_blocked 0\n")
}

// procLoad is loadavg: package load says of what.
func procLoad() []byte {
	s := ""
	for _, x := range load.Now() {
		s += strconv.FormatFloat(x, 'f', 2, 64) + " "
	}
	n, all := running()
	return []byte(s + strconv.Itoa(n) + "/" + strconv.Itoa(all) + " " + strconv.Itoa(posix.MostThreads()) + "\n")
}

// procInterrupts is interrupts, with one column: nobody counts which CPU a vector came to. The last line is of timers, and of CPUs that woke each other.
func procInterrupts() []byte {
	var b strings.Builder
	b.WriteString("           CPUs\n")
	_, _, rest := works()
	for v := range posix.Vectors {
		n, used := fired(v)
		if n > 0 || used {
			b.WriteString(right(3, int64(v)) + ":" + right(11, int64(n)) + "  vector\n")
		}
		rest -= min(n, rest)
	}
	b.WriteString("LOC:" + right(11, int64(rest)) + "  Local timer and function call interrupts\n")
	return []byte(b.String())
}

// procLocks is locks: flock(2) and fcntl(2). Who waits is not told.
func procLocks() []byte {
	var b strings.Builder
	i := 0
	line := func(kind string, exclusive bool, pid int, dev, ino uint64, from, to string) {
		i++
		how := "READ"
		if exclusive {
			how = "WRITE"
		}
		hex := func(n uint32) string { return string("0123456789abcdef"[n>>4&15]) + string("0123456789abcdef"[n&15]) }
		b.WriteString(strconv.Itoa(i) + ": " + kind + " ADVISORY  " + how + " " + strconv.Itoa(pid) + " " + hex(major(dev)) + ":" + hex(minor(dev)) + ":" + strconv.FormatUint(ino, 10) + " " + from + " " + to + "\n")
	}
	locks.Lock()
	for n, l := range locks.of {
		for o, how := range l.holders {
			a := n.Attr()
			line("FLOCK ", how == syscall.LOCK_EX, posix.PID, o.p.Mount.Dev, a.Ino, "0", "EOF")
		}
	}
	locks.Unlock()
	records.Lock()
	for n, l := range records.of {
		a := n.Attr()
		for _, r := range l.list {
			to := "EOF"
			if r.hi != fs.MaxSize {
				to = strconv.FormatInt(r.hi, 10)
			}
			kind, pid := "POSIX ", posix.PID
			if r.owner != nil {
				kind, pid = "OFDLCK", -1
			}
			line(kind, r.kind == syscall.F_WRLCK, pid, l.dev, a.Ino, strconv.FormatInt(r.lo, 10), to)
		}
	}
	records.Unlock()
	return []byte(b.String())
}

// procDevices is devices: the kinds that /dev has.
func procDevices() []byte {
	s := "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n\nBlock devices:\n"
	told := map[int]bool{}
	for _, u := range disks() {
		if !told[u.Major] {
			told[u.Major] = true
			s += right(3, int64(u.Major)) + " " + strings.TrimRight(u.Name, "0123456789") + "\n"
		}
	}
	return []byte(s)
}

// number is a file with a number that never changes.
func number(name string, n int) proc.Named { return proc.Text(name, strconv.Itoa(n)+"\n") }

// sysctl is /proc/sys: limits that hold here, and what programs ask of Linux to know what they may do. The host's name can be set.
func sysctl() []proc.Named {
	const threads, groups = 16384, 65536 // the bottom half's contexts; NGROUPS_MAX
	return []proc.Named{
		proc.Dir("kernel",
			proc.Setting("hostname", func() []byte { return []byte(uname(1) + "\n") }, setHostName),
			proc.Make("osrelease", func() []byte { return []byte(uname(2) + "\n") }),
			proc.Make("ostype", func() []byte { return []byte(uname(0) + "\n") }),
			proc.Make("version", func() []byte { return []byte(uname(3) + "\n") }),
			proc.Make("arch", func() []byte { return []byte(uname(4) + "\n") }),
			proc.Text("domainname", "(none)\n"), proc.Text("core_pattern", "\n"),
			number("pid_max", threads+1), number("threads-max", threads), number("ngroups_max", groups), number("cap_last_cap", lastCapability),
			number("overflowuid", 65534), number("overflowgid", 65534), number("tainted", 0), number("panic", 0), number("randomize_va_space", 2),
			proc.Dir("random",
				proc.Make("boot_id", func() []byte { return []byte(bootID() + "\n") }),
				proc.Make("uuid", func() []byte { return []byte(uuid() + "\n") }),
				number("entropy_avail", 256), number("poolsize", 256), number("write_wakeup_threshold", 256), number("urandom_min_reseed_secs", 60)),
		),
		proc.Dir("vm", number("overcommit_memory", 1), number("overcommit_ratio", 50), number("max_map_count", 65530), number("swappiness", 0), number("nr_hugepages", 0), number("mmap_min_addr", 4096)),
		proc.Dir("fs",
			number("file-max", posix.MaxFiles), number("nr_open", posix.MaxFiles), proc.Make("file-nr", procFileNr), number("pipe-max-size", 1<<20),
			number("overflowuid", 65534), number("overflowgid", 65534),
			proc.Dir("inotify", number("max_queued_events", inQueued), number("max_user_instances", posix.MaxFiles), number("max_user_watches", inWatches))),
		proc.Dir("net", proc.Dir("core", number("somaxconn", 4096))),
	}
}

// procFileNr is file-nr: descriptors, for who has several of one description counts them all.
func procFileNr() []byte {
	n := 0
	for range posix.Descriptors() {
		n++
	}
	return []byte(strconv.Itoa(n) + "\t0\t" + strconv.Itoa(posix.MaxFiles) + "\n")
}

// setHostName is a write to hostname: up to the end of a line, 64 bytes at most. EINVAL.
func setHostName(b []byte) fs.Errno {
	name, _, _ := strings.Cut(string(b), "\n")
	if len(name) > 64 || strings.IndexByte(name, 0) >= 0 {
		return syscall.EINVAL
	}
	posix.SetHostName(name)
	return 0
}
