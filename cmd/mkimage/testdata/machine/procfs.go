package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// collected asks procfs of what programs export to Prometheus: what client_golang's collector of the process tells, and of what node_exporter does.
func collected(cpus int, memory uint64) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		holds("procfs", fs, err, false)
		return
	}
	self := have[procfs.Proc]("Self")(fs.Self())
	each := func(what string, value any, err error) { holds(what, value, err, true) }
	stat := func() (procfs.Stat, procfs.ProcStat, procfs.ProcStatus) {
		return have[procfs.Stat]("Stat")(fs.Stat()), have[procfs.ProcStat]("Proc.Stat")(self.Stat()), have[procfs.ProcStatus]("Proc.Status")(self.NewStatus())
	}
	was, self0, status0 := stat()

	// Work of which it is known what it counts: memory that is touched, threads that wait for each other, one CPU of all that is busy.
	const bytes, turns = 32 * mib, 50
	b := make([]byte, bytes)
	for i := 0; i < bytes; i += 4096 {
		b[i] = 1
	}
	runtime.KeepAlive(b)
	turn, back := make(chan bool), make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocks: it ends with the goroutine
		for range turn {
			back <- true
		}
	}()
	runtime.LockOSThread()
	for range turns {
		turn <- true
		<-back
	}
	runtime.UnlockOSThread()
	close(turn)
	for range 10 {
		time.Sleep(time.Millisecond)
	}
	spin(300 * time.Millisecond)
	is, self1, status1 := stat()
	holds("faults", []uint{self0.MinFlt, self1.MinFlt}, nil, self1.MinFlt-self0.MinFlt >= bytes/(2*mib) && self1.MinFlt-self0.MinFlt < 10*bytes/4096)
	holds("context switches", []uint64{was.ContextSwitches, is.ContextSwitches}, nil, is.ContextSwitches-was.ContextSwitches >= turns && is.ContextSwitches-was.ContextSwitches < 100000)
	holds("switches of the process", []uint64{status0.VoluntaryCtxtSwitches, status1.VoluntaryCtxtSwitches}, nil, status1.VoluntaryCtxtSwitches-status0.VoluntaryCtxtSwitches >= turns)
	holds("interrupts", []uint64{was.IRQTotal, is.IRQTotal}, nil, is.IRQTotal-was.IRQTotal >= 10)
	busy, idle := 0.0, 0.0
	for i := range int64(cpus) {
		busy += is.CPU[i].User - was.CPU[i].User
		idle += is.CPU[i].Idle - was.CPU[i].Idle
	}
	holds("each CPU's time", []any{was.CPU, is.CPU}, nil, len(is.CPU) == cpus && busy >= 0.25 && idle >= 0.05) // one of them was busy all the time, and others were not
	holds("processor time", self1.CPUTime(), nil, self1.CPUTime()-self0.CPUTime() >= 0.25)
	started, err := self1.StartTime()
	age := time.Since(time.Unix(int64(started), 0))
	holds("StartTime", started, err, age > 0 && age < 10*time.Minute)
	rss, vsize := self1.ResidentMemory(), int(self1.VirtualMemory())
	holds("memory of the process", []int{rss, vsize}, nil, rss > mib && rss < int(memory) && vsize >= rss)
	open, err := self.FileDescriptorsLen()
	holds("FileDescriptorsLen", open, err, open >= 3 && open < 100)
	average, err := fs.LoadAvg()
	holds("LoadAvg", average, err, average.Load1 > 0 && average.Load1 <= float64(cpus) && average.Load15 < average.Load1)

	threads, err := fs.AllThreads(os.Getpid())
	holds("AllThreads", threads, err, len(threads) >= 2 && len(threads) <= self1.NumThreads+2)
	for _, t := range threads {
		s, err := t.Stat()
		holds("a thread's stat", s, err, s.PID == t.PID)
	}
	c, err := fs.CPUInfo()
	holds("CPUInfo", c, err, len(c) == cpus && c[0].CPUMHz > 0)
	m, err := fs.Meminfo()
	holds("Meminfo", m, err, *m.MemTotalBytes <= memory && *m.MemFreeBytes < *m.MemTotalBytes)
	limits, err := self.Limits()
	holds("Limits", limits, err, limits.OpenFiles > 1024)
	f, _ := os.Open("/etc/hosts")
	f.Read(make([]byte, 5))
	info, err := self.FDInfo(strconv.Itoa(int(f.Fd())))
	holds("FDInfo", info, err, info != nil && info.Pos == "5")
	spaces, err := self.Namespaces()
	holds("Namespaces", spaces, err, spaces["net"].Inode > 0)
	mounts, err := self.MountInfo()
	holds("MountInfo", mounts, err, slices.ContainsFunc(mounts, func(m *procfs.MountInfo) bool { return m.MountPoint == "/proc" }))
	netstat, err := self.Netstat()
	holds("Netstat", netstat, err, netstat.InOctets != nil && *netstat.InOctets >= mib)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	sockets, err := fs.NetSockstat()
	holds("NetSockstat", sockets, err, sockets.Used != nil && *sockets.Used == 1 && slices.ContainsFunc(sockets.Protocols, func(p procfs.NetSockstatProtocol) bool { return p.Protocol == "TCP" && p.InUse == 1 }))
	l.Close()
	tells := func(what string, f func() (any, error)) {
		v, err := f()
		each(what, v, err)
	}
	tells("Cgroups", func() (any, error) { return self.Cgroups() })
	tells("CgroupSummarys", func() (any, error) { return fs.CgroupSummarys() })
	tells("Schedstat", func() (any, error) { return self.Schedstat() })
	tells("IO", func() (any, error) { return self.IO() })
	tells("Statm", func() (any, error) { return self.Statm() })
	tells("SMapsRollup", func() (any, error) { return self.ProcSMapsRollup() })
	tells("Maps", func() (any, error) { return self.ProcMaps() })
	tells("MountStats", func() (any, error) { return self.MountStats() })
	tells("Snmp", func() (any, error) { return self.Snmp() })
	tells("Wchan", func() (any, error) { return self.Wchan() })
	tells("FileDescriptorsInfo", func() (any, error) { return self.FileDescriptorsInfo() })
	tells("KernelRandom", func() (any, error) { return fs.KernelRandom() })
	tells("Swaps", func() (any, error) { return fs.Swaps() })
	tells("NetDev", func() (any, error) { return fs.NetDev() })
	tells("NetTCP", func() (any, error) { return fs.NetTCP() })
	tells("NetUDP6", func() (any, error) { return fs.NetUDP6() })
	tells("NetUNIX", func() (any, error) { return fs.NetUNIX() })
	tells("NetRoute", func() (any, error) { return fs.NetRoute() })
	tells("NetStat", func() (any, error) { return fs.NetStat() })
	port, err := net.LookupPort("tcp", "postgresql") // which package net does not know by itself
	holds("LookupPort", port, err, port == 5432)
	for _, path := range []string{"/proc/interrupts", "/proc/locks", "/proc/self/auxv", "/etc/machine-id", "/etc/protocols", "/proc/self/fdinfo/0", "/sys/devices/system/cpu/cpu0/topology/core_id", "/sys/devices/system/node/node0/meminfo"} {
		text, err := os.ReadFile(path)
		holds(path, string(text), err, len(text) > 0 || path == "/proc/locks")
	}
	if text, _ := os.ReadFile("/proc/self/status"); !strings.Contains(string(text), "SigCgt:\t") || strings.Contains(string(text), "SigCgt:\t0000000000000000") {
		holds("signals that the runtime catches", string(text), nil, false)
	}
	fmt.Println("interrupts", is.IRQTotal, "switches", is.ContextSwitches, "faults", self1.MinFlt, "load", average.Load1)
}
