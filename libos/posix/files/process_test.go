package files

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// fields are the lines "name: value" of a file.
func fields(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			m[name] = strings.TrimSpace(value)
		}
	}
	return m
}

// TestStatusAgainstHost: status has the lines of the host's, in its order, with values of the same form, but for those that say what is only there.
func TestStatusAgainstHost(t *testing.T) {
	judge, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"Kthread", "VmPMD", "HugetlbPages", "THP_enabled", "untag_mask", "Speculation_Store_Bypass", "SpeculationIndirectBranch", "x86_Thread_features", "x86_Thread_features_locked"}
	var want []string
	for line := range strings.Lines(string(judge)) {
		if name, _, _ := strings.Cut(line, ":"); !slices.Contains(hosts, name) {
			want = append(want, name)
		}
	}
	ours, theirs := content(t, "/proc/self/status"), fields(string(judge))
	var have []string
	form := regexp.MustCompile("[0-9a-f]{16}|[0-9]+")
	for line := range strings.Lines(ours) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":\t")
		have = append(have, name)
		switch name { // whose form depends on the machine, or the user
		case "Name", "State", "Groups", "Cpus_allowed", "Cpus_allowed_list", "Mems_allowed", "Mems_allowed_list":
			continue
		}
		if f, w := form.ReplaceAllString(strings.TrimSpace(value), "0"), form.ReplaceAllString(theirs[name], "0"); f != w {
			t.Errorf("%s: %q, on the host %q", name, value, theirs[name])
		}
	}
	want = slices.DeleteFunc(want, func(s string) bool { return !slices.Contains(have, s) && strings.HasPrefix(s, "NS") }) // which kernels have is their age's
	if !slices.Equal(slices.DeleteFunc(slices.Clone(have), func(s string) bool { return !slices.Contains(want, s) }), want) {
		t.Errorf("lines are\n%v\non the host\n%v", have, want)
	}
}

// TestSignalsTold: what the program catches and ignores is in status.
func TestSignalsTold(t *testing.T) {
	bit := func(name string, sig syscall.Signal) bool {
		n, err := strconv.ParseUint(fields(content(t, "/proc/self/status"))[name], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n>>(sig-1)&1 != 0
	}
	if !bit("SigCgt", syscall.SIGSEGV) || bit("SigIgn", syscall.SIGUSR2) {
		t.Error("before")
	}
	signal.Ignore(syscall.SIGUSR2)
	defer signal.Reset(syscall.SIGUSR2)
	if !bit("SigIgn", syscall.SIGUSR2) || bit("SigCgt", syscall.SIGUSR2) {
		t.Error("an ignored signal is not told")
	}
}

// TestCountersMove: faults, switches and processor time grow with what the process does. (On the host they are the host's: package posix asks it.)
func TestCountersMove(t *testing.T) {
	read := func() (faults, switches, cpu uint64) {
		stat := content(t, "/proc/self/stat")
		f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
		for i, p := range map[int]*uint64{7: &faults} {
			*p, _ = strconv.ParseUint(f[i], 10, 64)
		}
		for line := range strings.Lines(content(t, "/proc/stat")) {
			if f := strings.Fields(line); f[0] == "ctxt" {
				switches, _ = strconv.ParseUint(f[1], 10, 64)
			} else if f[0] == "cpu0" {
				cpu, _ = strconv.ParseUint(f[1], 10, 64)
			}
		}
		return faults, switches, cpu
	}
	faults, switches, cpu := read()
	const bytes = 64 << 20
	b := make([]byte, bytes)
	for i := 0; i < bytes; i += 4096 {
		b[i] = 1
	}
	for range 20 {
		time.Sleep(time.Millisecond)
	}
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
	}
	runtime.KeepAlive(b)
	faults2, switches2, cpu2 := read()
	if faults2-faults < bytes/(2<<20) || switches2-switches < 20 || cpu2-cpu < 3 {
		t.Error("faults", faults, faults2, "switches", switches, switches2, "ticks", cpu, cpu2)
	}
}

// TestCounter: a count modulo 2^32 goes on beyond it.
func TestCounter(t *testing.T) {
	var c counter
	for i, n := range []uint32{5, 1<<32 - 1, 3, 3} {
		if got, want := c.now(func() uint32 { return n }), []uint64{5, 1<<32 - 1, 1<<32 + 3, 1<<32 + 3}[i]; got != want {
			t.Error(i, got, want)
		}
	}
}

// TestFDInfo: position, flags, mount, inode and what is behind, as proc_pid_fdinfo(5) says.
func TestFDInfo(t *testing.T) {
	dir := fresh(t)
	fd := openPath(t, dir+"/f", syscall.O_RDWR|syscall.O_CREAT|syscall.O_APPEND|syscall.O_CLOEXEC)
	defer posix.Close(fd)
	posix.Write(fd, []byte("seven b"))
	var st syscall.Stat_t
	posix.Fstat(fd, &st)
	var pos, flags, mount, ino uint64
	text := content(t, fmt.Sprint("/proc/self/fdinfo/", fd))
	if n, err := fmt.Sscanf(text, "pos:\t%d\nflags:\t%o\nmnt_id:\t%d\nino:\t%d\n", &pos, &flags, &mount, &ino); n != 4 {
		t.Fatalf("%q: %v", text, err)
	}
	if want := uint64(syscall.O_RDWR | syscall.O_APPEND | syscall.O_CLOEXEC | 0o100000); pos != 7 || flags != want || ino != st.Ino {
		t.Errorf("%q: inode %d, flags %o", text, st.Ino, want)
	}
	if !strings.HasPrefix(content(t, "/proc/self/mountinfo"), fmt.Sprint(mount, " ")) { // which the root is in, that has the folder
		t.Errorf("no mount %d", mount)
	}
	watch, e := inotifyInit(0)
	if e != 0 {
		t.Fatal(e)
	}
	defer posix.Close(int(watch))
	if _, e := sys(syscall.SYS_INOTIFY_ADD_WATCH, int(watch), dir, inEvents); e != 0 {
		t.Fatal(e)
	}
	p, _ := Tree.Resolve(here(), dir, 0)
	defer p.Drop()
	a := p.Attr()
	if want := fmt.Sprintf("inotify wd:1 ino:%x sdev:%x mask:fff ignored_mask:0 \n", a.Ino, p.Mount.Dev); !strings.HasSuffix(content(t, fmt.Sprint("/proc/self/fdinfo/", watch)), want) {
		t.Errorf("%q lacks %q", content(t, fmt.Sprint("/proc/self/fdinfo/", watch)), want)
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, "/proc/self/fdinfo/999", syscall.O_RDONLY, 0); e != syscall.ENOENT {
		t.Error(e)
	}
}

// TestLocksTold: /proc/locks has flock's locks and fcntl's, of descriptions and of the process, as long as they are held.
func TestLocksTold(t *testing.T) {
	fd := openPath(t, fresh(t)+"/f", syscall.O_RDWR|syscall.O_CREAT)
	defer posix.Close(fd)
	var st syscall.Stat_t
	posix.Fstat(fd, &st)
	told := func(line string) bool {
		return regexp.MustCompile(fmt.Sprintf(`(?m)^\d+: %s [0-9a-f]{2}:[0-9a-f]{2}:%d `, line, st.Ino)).MatchString(content(t, "/proc/locks"))
	}
	if told(".*") {
		t.Error("a lock that nobody has taken")
	}
	sys(syscall.SYS_FLOCK, fd, syscall.LOCK_EX)
	l := syscall.Flock_t{Type: syscall.F_RDLCK, Start: 10, Len: 20}
	sys(syscall.SYS_FCNTL, fd, syscall.F_SETLK, address(&l))
	if !told("FLOCK  ADVISORY  WRITE 1") || !told("POSIX  ADVISORY  READ 1") || !strings.Contains(content(t, "/proc/locks"), " 10 29\n") {
		t.Error(content(t, "/proc/locks"))
	}
	l.Type = syscall.F_UNLCK
	sys(syscall.SYS_FCNTL, fd, syscall.F_SETLK, address(&l))
	l = syscall.Flock_t{Type: syscall.F_WRLCK}
	sys(syscall.SYS_FCNTL, fd, ofdSetlk, address(&l))
	sys(syscall.SYS_FLOCK, fd, syscall.LOCK_UN)
	if !told("OFDLCK ADVISORY  WRITE -1") || told("FLOCK.*") || told("POSIX.*") {
		t.Error(content(t, "/proc/locks"))
	}
}

// TestSettings: the host's name and the adjustment are what was written last, by os.WriteFile's way to open, and nonsense is refused.
func TestSettings(t *testing.T) {
	write := func(path, text string) syscall.Errno {
		fd := openPath(t, path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC)
		defer posix.Close(fd)
		n, e := posix.Write(fd, []byte(text))
		if e == 0 && n != len(text) {
			t.Error(path, n)
		}
		return e
	}
	before := posix.HostName()
	defer posix.SetHostName(before)
	if e := write("/proc/sys/kernel/hostname", "renamed\n"); e != 0 || posix.HostName() != "renamed" || content(t, "/proc/sys/kernel/hostname") != "renamed\n" {
		t.Error(e, posix.HostName())
	}
	if e := write("/proc/sys/kernel/hostname", strings.Repeat("x", 65)); e != syscall.EINVAL || posix.HostName() != "renamed" {
		t.Error(e, posix.HostName())
	}
	if e := write("/proc/self/oom_score_adj", "-999\n"); e != 0 || content(t, "/proc/self/oom_score_adj") != "-999\n" {
		t.Error(e)
	}
	for _, bad := range []string{"1001", "", "x"} {
		if e := write("/proc/self/oom_score_adj", bad); e != syscall.EINVAL && bad != "" {
			t.Errorf("%q: %v", bad, e)
		}
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, "/proc/sys/kernel/ostype", syscall.O_WRONLY, 0); e != syscall.EACCES {
		t.Error(e)
	}
}

// TestAuxv: pairs of words up to one of zeroes, with the page's size among them.
func TestAuxv(t *testing.T) {
	const null, pageSize = 0, 6 // AT_NULL, AT_PAGESZ
	b := []byte(content(t, "/proc/self/auxv"))
	for i := 0; i+16 <= len(b); i += 16 {
		switch key, value := binary.NativeEndian.Uint64(b[i:]), binary.NativeEndian.Uint64(b[i+8:]); key {
		case null:
			t.Error("no page size")
			return
		case pageSize:
			if value != uint64(os.Getpagesize()) {
				t.Error(value)
			}
			return
		}
	}
	t.Errorf("%x does not end", b)
}

// TestNamespaces: links say kind and number as on the host, and lead to a file with that number.
func TestNamespaces(t *testing.T) {
	entries, err := os.ReadDir("/proc/self/ns")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		judge, _ := os.Readlink("/proc/self/ns/" + entry.Name())
		b := make([]byte, 64)
		n, e := sys(syscall.SYS_READLINKAT, atCWD, "/proc/self/ns/"+entry.Name(), b, len(b))
		kind, number, _ := strings.Cut(strings.TrimSuffix(string(b[:n]), "]"), ":[")
		if want, _, _ := strings.Cut(judge, ":"); e != 0 || kind != want {
			t.Errorf("%s: %q, %v; on the host %q", entry.Name(), b[:n], e, judge)
		}
		var st syscall.Stat_t
		if _, e := sys(sysStat, atCWD, "/proc/self/ns/"+entry.Name(), &st, 0); e != 0 || strconv.FormatUint(st.Ino, 10) != number {
			t.Errorf("%s: %d, want %s: %v", entry.Name(), st.Ino, number, e)
		}
	}
}

// TestProcAgainstHost: files that programs take apart have the host's columns.
func TestProcAgainstHost(t *testing.T) {
	for path, form := range map[string]string{
		"/proc/loadavg":        `^\d+\.\d\d \d+\.\d\d \d+\.\d\d \d+/\d+ \d+\n$`,
		"/proc/self/schedstat": `^\d+ \d+ \d+\n$`,
		"/proc/self/statm":     `^(\d+ ){6}\d+\n$`,
		"/proc/sys/fs/file-nr": `^\d+\t0\t\d+\n$`,
		"/proc/cgroups":        `^#subsys_name\thierarchy\tnum_cgroups\tenabled\n`,
		"/proc/devices":        `(?s)^Character devices:\n +1 mem\n.*\n\nBlock devices:\n`,
		"/proc/self/uid_map":   `^ +0 +0 4294967295\n$`,
		"/proc/self/auxv":      `(?s)\x00{16}$`,
		"/proc/stat":           `(?s)^cpu  (\d+ ){9}\d+\n(cpu\d+ (\d+ ){9}\d+\n)+intr \d+.*\nctxt \d+\nbtime \d+\nprocesses \d+\nprocs_running \d+\nprocs_blocked \d+\n`,

		"/proc/sys/fs/inotify/max_queued_events": `^\d+\n$`, "/proc/sys/fs/inotify/max_user_instances": `^\d+\n$`, "/proc/sys/fs/inotify/max_user_watches": `^\d+\n$`, "/proc/sys/kernel/ngroups_max": `^65536\n$`,
		"/proc/self/mountstats": `(?m)^device proc mounted on /proc with fstype proc$`, "/proc/self/personality": `^0{8}\n$`, "/proc/self/loginuid": `^\d+$`, "/proc/self/wchan": `^0?`,
	} {
		re := regexp.MustCompile(form)
		if got := content(t, path); !re.MatchString(got) {
			t.Errorf("%s: %q", path, got)
		}
		if judge, err := os.ReadFile(path); err == nil && !re.Match(judge) && path != "/proc/self/mountstats" {
			t.Errorf("%s is otherwise on the host: %q", path, judge)
		}
	}
	ours, judge := content(t, "/proc/self/limits"), ""
	if b, err := os.ReadFile("/proc/self/limits"); err == nil {
		judge = string(b)
	}
	names := regexp.MustCompile(`(?m)^(.{26}).{42}(.*)$`)
	if a, b := names.ReplaceAllString(ours, "$1$2"), names.ReplaceAllString(judge, "$1$2"); judge != "" && a != b {
		t.Errorf("limits are of %s, on the host of %s", a, b)
	}
}

// TestEtc: names that package net and others look up.
func TestEtc(t *testing.T) {
	for path, line := range map[string]string{"/etc/services": `^https\s+443/tcp\b`, "/etc/protocols": `^ipv6-icmp\s+58\s`, "/etc/machine-id": `^[0-9a-f]{32}$`, "/etc/mtab": `^proc /proc proc `} {
		if !regexp.MustCompile("(?m)" + line).MatchString(content(t, path)) {
			t.Errorf("%s: %q", path, content(t, path))
		}
	}
	seen := map[string]bool{}
	for line := range strings.Lines(services) {
		f := strings.Fields(line)
		if seen[f[0]+f[1]] || !regexp.MustCompile(`^\d+/(tcp|udp)$`).MatchString(f[1]) {
			t.Errorf("%q", line)
		}
		seen[f[0]+f[1]] = true
	}
	if content(t, "/etc/machine-id") != content(t, "/etc/machine-id") {
		t.Error("two machines")
	}
}

// TestCountersReadTogether: what the machine counts modulo 2^32 has 64 bits in /proc, whoever reads it beside another, and across the border.
func TestCountersReadTogether(t *testing.T) {
	var c counter
	var machine atomic.Uint32
	machine.Store(1<<32 - 1000)
	read := machine.Load
	first := c.now(read)
	const readers, each = 4, 50000
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for range each {
				machine.Add(1)
				c.now(read)
			}
		})
	}
	wg.Wait()
	if got := c.now(read) - first; got != readers*each {
		t.Errorf("the machine counted %d, told is %d", readers*each, got)
	}

	// A reader that has the machine's count and is slow has the others wait.
	entered, leave, done := make(chan bool), make(chan bool), make(chan uint64)
	before := c.now(read)
	go func() {
		done <- c.now(func() uint32 {
			n := machine.Load()
			close(entered)
			<-leave
			return n
		})
	}()
	<-entered
	go func() {
		machine.Add(1)
		done <- c.now(read)
	}()
	time.Sleep(10 * time.Millisecond)
	close(leave)
	if got := max(<-done, <-done) - before; got != 1 {
		t.Errorf("the machine counted 1, told is %d", got)
	}

	for range readers {
		wg.Go(func() {
			for range 100 {
				for b := make([]byte, 1<<20); len(b) > 0; b = b[4096:] {
					b[0] = 1
				}
				faults()
				works()
			}
		})
	}
	wg.Wait()
	_, _, interrupts := works()
	if n := faults(); n >= 1<<32 || interrupts >= 1<<32 {
		t.Errorf("%d faults and %d interrupts of a process that has just begun", n, interrupts)
	}
}
