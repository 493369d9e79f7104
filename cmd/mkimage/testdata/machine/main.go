// Command machine asks gopsutil and Prometheus's packages of all that it knows, and holds the answers to what this program does and was told.
//
//	machine CPUS MEMORY DISK FOLDER    memory and the disk that is mounted at FOLDER in MiB
package main

import (
	"fmt"
	"io"
	"math"
	stdnet "net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

const mib = 1 << 20

var wrong int

// holds says what an answer was where it came with an error or is not as it should be.
func holds(what string, value any, err error, ok bool) {
	if err != nil || !ok {
		fmt.Printf("%s: %+v, %v\n", what, value, err)
		wrong++
	}
}

// have is the value; an error is told by its line of the report.
func have[T any](what string) func(v T, err error) T {
	return func(v T, err error) T {
		if err != nil {
			holds(what, v, err, false)
		}
		return v
	}
}

func number(i int) uint64 {
	n, err := strconv.ParseUint(os.Args[i], 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	cpus, memory, size, folder := int(number(1)), number(2)*mib, number(3)*mib, os.Args[4]
	machine(cpus, memory)
	disks(size, folder)
	network()
	self(cpus, memory, folder)
	collected(cpus, memory)
	if wrong == 0 {
		fmt.Println("all is well")
	}
}

// spin keeps a CPU busy.
func spin(d time.Duration) {
	x := 1.0
	for start := time.Now(); time.Since(start) < d; {
		x = math.Sqrt(x + 1)
	}
}

func machine(cpus int, memory uint64) {
	info, err := cpu.Info()
	holds("cpu.Info", info, err, len(info) == cpus && info[0].ModelName != "" && info[0].VendorID != "")
	for _, logical := range []bool{false, true} {
		n, err := cpu.Counts(logical)
		holds("cpu.Counts", n, err, n == cpus)
	}
	before := have[[]cpu.TimesStat]("cpu.Times")(cpu.Times(false))
	spin(100 * time.Millisecond)
	after, err := cpu.Times(false)
	spent := after[0].User + after[0].System - before[0].User - before[0].System
	holds("cpu.Times", after, err, spent > 0.05 && spent < 10)
	each, err := cpu.Times(true)
	holds("cpu.Times of each", each, err, len(each) == cpus)
	percent, err := cpu.Percent(50*time.Millisecond, false)
	holds("cpu.Percent", percent, err, len(percent) == 1 && percent[0] >= 0 && percent[0] <= 100)

	m, err := mem.VirtualMemory()
	holds("mem.VirtualMemory", m, err, m != nil && m.Total > memory/2 && m.Total <= memory && m.Available > 0 && m.Available < m.Total && m.Used > 0 && m.Used < m.Total)
	swap, err := mem.SwapMemory()
	holds("mem.SwapMemory", swap, err, swap != nil && swap.Total == 0)
	devices, err := mem.SwapDevices()
	holds("mem.SwapDevices", devices, err, len(devices) == 0)

	h, err := host.Info()
	name, _ := os.Hostname()
	holds("host.Info", h, err, h != nil && h.Hostname == name && h.OS == "linux" && h.Procs == 1 && h.KernelVersion != "" && h.Platform == "hardtack" && len(h.HostID) == 36)
	up, err := host.Uptime()
	holds("host.Uptime", up, err, up < 600)
	boot, err := host.BootTime()
	since := time.Since(time.Unix(int64(boot), 0))
	holds("host.BootTime", boot, err, since > 0 && since < 10*time.Minute)
	average, err := load.Avg()
	holds("load.Avg", average, err, average != nil && average.Load1 >= 0 && average.Load1 <= float64(cpus)+1)
	misc, err := load.Misc()
	holds("load.Misc", misc, err, misc != nil && misc.ProcsRunning >= 1 && misc.ProcsRunning <= cpus+1 && misc.Ctxt > 0)
}

func disks(size uint64, folder string) {
	all, err := disk.Partitions(true)
	holds("disk.Partitions", all, err, slices.ContainsFunc(all, func(p disk.PartitionStat) bool { return p.Mountpoint == folder && p.Fstype == "cffs" }))
	real, err := disk.Partitions(false)
	holds("disk.Partitions of disks", real, err, len(real) == 1 && real[0].Mountpoint == folder && strings.HasPrefix(real[0].Device, "/dev/"))
	node, err := os.Stat(real[0].Device)
	holds("the disk's node", node, err, node != nil && node.Mode().Type() == os.ModeDevice)
	name := filepath.Base(real[0].Device)
	u, err := disk.Usage(folder)
	holds("disk.Usage", u, err, u != nil && u.Total > size*9/10 && u.Total <= size && u.Free > 0 && u.Free <= u.Total)
	before := have[map[string]disk.IOCountersStat]("disk.IOCounters")(disk.IOCounters())
	f, err := os.Create(filepath.Join(folder, "counted"))
	if err != nil {
		panic(err)
	}
	f.Write(make([]byte, mib))
	f.Sync()
	f.Close()
	after, err := disk.IOCounters()
	written := uint64(0)
	for x, c := range after {
		written += c.WriteBytes - before[x].WriteBytes
	}
	holds("disk.IOCounters", after, err, len(after) == 1 && written >= mib && written < 4*mib && after[name].WriteBytes-before[name].WriteBytes == written)
}

func network() {
	l, err := stdnet.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	c, err := stdnet.Dial("tcp4", l.Addr().String())
	if err != nil {
		panic(err)
	}
	defer c.Close()
	peer, err := l.Accept()
	if err != nil {
		panic(err)
	}
	defer peer.Close()
	six, err := stdnet.Listen("tcp6", "[::1]:0")
	if err != nil {
		panic(err)
	}
	defer six.Close()
	u, err := stdnet.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer u.Close()
	x, err := stdnet.Listen("unix", "/tmp/machine.sock")
	if err != nil {
		panic(err)
	}
	defer x.Close()

	before := have[[]net.IOCountersStat]("net.IOCounters")(net.IOCounters(true))
	go c.Write(make([]byte, mib))
	io.ReadFull(peer, make([]byte, mib))
	after, err := net.IOCounters(true)
	sent, received := uint64(0), uint64(0)
	for i := range min(len(before), len(after)) {
		if after[i].Name == "lo" {
			sent, received = after[i].BytesSent-before[i].BytesSent, after[i].BytesRecv-before[i].BytesRecv
		}
	}
	holds("net.IOCounters", after, err, sent >= mib && sent < 2*mib && received == sent)
	list, err := net.Interfaces()
	holds("net.Interfaces", list, err, slices.ContainsFunc(list, func(i net.InterfaceStat) bool {
		return i.Name == "lo" && slices.Contains(i.Flags, "up") && len(i.Addrs) > 0
	}))
	for _, i := range list {
		b, err := os.ReadFile("/sys/class/net/" + i.Name + "/mtu")
		holds("/sys/class/net/"+i.Name, string(b), err, string(b) == strconv.Itoa(i.MTU)+"\n")
	}

	pid := int32(os.Getpid())
	for _, one := range []struct {
		kind          string
		local, remote stdnet.Addr
		status        string
	}{
		{"tcp4", c.LocalAddr(), c.RemoteAddr(), "ESTABLISHED"}, {"tcp", peer.LocalAddr(), peer.RemoteAddr(), "ESTABLISHED"}, {"tcp", l.Addr(), nil, "LISTEN"},
		{"tcp6", six.Addr(), nil, "LISTEN"}, {"udp", u.LocalAddr(), nil, "NONE"}, {"unix", x.Addr(), nil, "NONE"},
	} {
		list, err := net.Connections(one.kind)
		holds("net.Connections "+one.kind+" "+one.local.String(), list, err, slices.ContainsFunc(list, func(s net.ConnectionStat) bool {
			return told(s.Laddr) == one.local.String() && (one.remote == nil || told(s.Raddr) == one.remote.String()) && s.Status == one.status && s.Pid == pid && s.Fd > 0
		}))
	}
	mine, err := net.ConnectionsPid("all", pid)
	holds("net.ConnectionsPid", mine, err, len(mine) >= 6)
	counters, err := net.ProtoCounters(nil)
	holds("net.ProtoCounters", counters, err, slices.ContainsFunc(counters, func(p net.ProtoCountersStat) bool {
		return p.Protocol == "tcp" && p.Stats["CurrEstab"] >= 2 && p.Stats["OutSegs"] > 0
	}))
}

// told is an address as package net tells it.
func told(a net.Addr) string {
	if strings.HasPrefix(a.IP, "/") {
		return a.IP
	}
	return stdnet.JoinHostPort(a.IP, strconv.Itoa(int(a.Port)))
}

func self(cpus int, memory uint64, folder string) {
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		holds("process.NewProcess", p, err, false)
		return
	}
	is := func(what string, got any, err error, want any) {
		holds(what, got, err, fmt.Sprint(got) == fmt.Sprint(want))
	}
	exe, _ := os.Executable()
	cwd, _ := os.Getwd()
	v, err := p.Name()
	is("Name", v, err, filepath.Base(os.Args[0]))
	v, err = p.Exe()
	is("Exe", v, err, exe)
	v, err = p.Cwd()
	is("Cwd", v, err, cwd)
	args, err := p.CmdlineSlice()
	is("CmdlineSlice", args, err, os.Args)
	env, err := p.Environ()
	is("Environ", slices.DeleteFunc(env, func(s string) bool { return s == "" }), err, os.Environ())
	status, err := p.Status()
	is("Status", status, err, []string{process.Running})
	ppid, err := p.Ppid()
	is("Ppid", ppid, err, os.Getppid())
	uids, err := p.Uids()
	is("Uids", uids, err, [4]int{})
	groups, err := p.Groups()
	is("Groups", len(groups), err, 0)
	nice, err := p.Nice()
	is("Nice", nice, err, 20) // 20 less the niceness: what getpriority(2) itself gives
	terminal, err := p.Terminal()
	is("Terminal", terminal, err, "")
	children, err := p.Children()
	is("Children", len(children), err, 0)
	alone, err := p.IsRunning()
	is("IsRunning", alone, err, true)
	threads, err := p.NumThreads()
	holds("NumThreads", threads, err, threads > 0 && threads < 100)
	times, err := p.Threads()
	holds("Threads", times, err, len(times) > 0)
	limits, err := p.RlimitUsage(true)
	holds("RlimitUsage", limits, err, slices.ContainsFunc(limits, func(l process.RlimitStat) bool {
		return l.Resource == process.RLIMIT_NOFILE && l.Used > 0 && l.Used < l.Soft
	}))

	m, err := p.MemoryInfo()
	holds("MemoryInfo", m, err, m != nil && m.RSS > mib && m.RSS < memory && m.VMS >= m.RSS)
	grouped, err := p.MemoryMaps(true)
	holds("MemoryMaps", grouped, err, grouped != nil && len(*grouped) == 1 && (*grouped)[0].Rss > 0)
	t, err := p.Times()
	holds("Times", t, err, t != nil && t.User+t.System > 0.05)
	created, err := p.CreateTime()
	age := time.Since(time.UnixMilli(created))
	holds("CreateTime", created, err, age > 0 && age < 10*time.Minute)
	switches, err := p.NumCtxSwitches()
	holds("NumCtxSwitches", switches, err, switches != nil && switches.Voluntary > 0)
	faults, err := p.PageFaults()
	holds("PageFaults", faults, err, faults != nil && faults.MinorFaults > 0)

	open, err := p.NumFDs()
	name := filepath.Join(folder, "open file")
	f, err := os.Create(name)
	if err != nil {
		panic(err)
	}
	more, err := p.NumFDs()
	is("NumFDs", more, err, open+1)
	files, err := p.OpenFiles()
	holds("OpenFiles", files, err, slices.Contains(files, process.OpenFilesStat{Path: name, Fd: uint64(f.Fd())}))

	before := have[*process.IOCountersStat]("IOCounters")(p.IOCounters())
	if before == nil {
		return
	}
	for range 64 {
		f.Write(make([]byte, mib/64))
	}
	f.Sync()
	f.Seek(0, 0)
	io.ReadFull(f, make([]byte, mib))
	after, err := p.IOCounters()
	holds("IOCounters", []any{before, after}, err, after != nil && after.WriteBytes == before.WriteBytes+mib && after.WriteCount == before.WriteCount+64 && after.DiskWriteBytes-before.DiskWriteBytes >= mib && after.DiskWriteBytes-before.DiskWriteBytes < 2*mib &&
		after.ReadBytes-before.ReadBytes >= mib && after.ReadBytes-before.ReadBytes < mib+4096 && after.ReadCount > before.ReadCount && after.ReadCount < before.ReadCount+20)
	f.Close()
}
