package runtime

import "slices"

//go:generate go test -run ^TestPage$ . -update

// edits is everything that changes in the user's own files; what is added lies below _goroot/src.
var edits = slices.Concat(runtimeEdits, doorEdits, syscallEdits, timeEdits)

// runtimeEdits is what package runtime itself needs beyond the added files.
var runtimeEdits = []Edit{
	{
		File: "runtime/netpoll_epoll.go", Op: DropFile,
		Why: "exo_netpoll.go takes its place: interrupts and libos/posix make goroutines ready, there is no epoll below",
	},
	{
		File: "runtime/cgroup_linux.go", Op: DropFile,
		Why: "exo_cgroup.go takes its place: no control groups here, and 24 KB and three failing opens less",
	},
	{
		File: "runtime/vdso_linux.go", Decl: "vdsoauxv", Op: Body, Text: "_, _ = tag, val",
		Why: "no vDSO is ever passed (the clock's address is set directly): 4 KB of ELF reading less",
	},
	{
		File: "runtime/symtab.go", Decl: "expandCgoFrames", Op: Body, Text: "_ = pc; return nil",
		Why: "there is no C whose frames a symbolizer could name: 1 KB less",
	},
	{
		File: "runtime/traceback.go", Decl: "printOneCgoTraceback", Op: Body, Text: "_, _, _ = pc, commitFrame, arg; return false",
		Why: "likewise: 0.7 KB less",
	},
	{
		File: "runtime/fds_unix.go", Decl: "checkfds", Op: Body, Text: "return",
		Why: "descriptors 0 to 2 are open from the start: 0.7 KB and three calls before main less",
	},
	{
		File: "runtime/os_linux.go", Decl: "getHugePageSize", Op: Body, Text: "return 0",
		Why: "that is what it finds without the kernel's file: 0.5 KB and a call before main less. Large pages are the bottom half's to choose",
	},
	{
		File: "runtime/heapdump.go", Decl: "dwrite", Op: Redirect, Text: "write exoDumpWrite",
		Why: "a dump went nowhere: no goroutine can write a file while the world is stopped. It is kept, and written afterwards (exo_heapdump.go)",
	},
	{
		File: "runtime/heapdump.go", Decl: "flush", Op: Redirect, Text: "write exoDumpWrite",
		Why: "likewise",
	},
	{
		File: "runtime/heapdump.go", Decl: "runtime_debug_WriteHeapDump", Op: Redirect, Text: "startTheWorld exoDumpWritten",
		Why: "likewise",
	},
	{
		File: "runtime/heapdump.go", Decl: "mdump", Op: Redirect, Text: "dumpparams exoDumpParams",
		Why: "a dump took 32 MiB for good: it looked at every place of the heap's table",
	},
	{
		File: "os/pidfd_linux.go", Decl: "checkPidfd", Op: Body, Text: "return NewSyscallError(\"pidfd_open\", syscall.ENOSYS)",
		Why: "no processes in an image: the probe would find just this, with 5 KB of code",
	},
	{
		File: "runtime/os_linux.go", Decl: "sysSigaction", Op: Body, Text: "exoSigaction(sig, new, old)",
		Why: "114 calls before main, each a trap: 22 000 of 420 000 instructions",
	},
	{
		File: "runtime/mgcmark.go", Decl: "scanstack", Op: Redirect, Text: "scanframeworker exoScanFrame",
		Why: "the registers and frames of a goroutine that waits for a page, in assembly too, are scanned conservatively (exo_await_amd64.go)",
	},
	{
		File: "runtime/stack.go", Decl: "newstack", Op: Redirect, Text: "gopreempt_m exoGopreempt",
		Why: "a goroutine with a CPU of its own is not preempted for others, wherever it stands (exo_isolate.go)",
	},
	{
		File: "runtime/preempt.go", Decl: "asyncPreempt2", Op: Redirect, Text: "gopreempt_m exoGopreempt",
		Why: "likewise",
	},
	{
		File: "runtime/stack.go", Decl: "newstack", Op: Redirect, Text: "preemptPark exoPreemptPark",
		Why: "the collector looks at the stack of a goroutine with a CPU of its own without taking it off that (exo_isolate.go)",
	},
	{
		File: "runtime/preempt.go", Decl: "asyncPreempt2", Op: Redirect, Text: "preemptPark exoPreemptPark",
		Why: "likewise",
	},
	{
		File: "runtime/proc.go", Decl: "main", Op: Redirect, Text: "doInit exoDoInit",
		Why: "the libOS is initialized before the program's packages, where libos/initorder is linked: they find files and sockets (exo_init.go)",
	},
	{
		File: "runtime/proc.go", Decl: "sysmon", Op: Redirect, Text: "usleep exoSysmonSleep",
		Why: "a timer that expires beside a loop without calls is served at once, not at the next 10 ms look (exo_sysmon.go)",
	},
	{
		File: "runtime/proc.go", Decl: "pidleget", Op: Rename, Text: "exoGoPidleget",
		Why: "exo_sysmon.go wraps it: a program that an interrupt woke is looked after, too, though no call wakes sysmon",
	},
	{
		File: "runtime/proc.go", Decl: "startTheWorldWithSema", Op: Redirect, Text: "procresize exoProcresize",
		Why: "a goroutine with a CPU of its own goes on when the world does, and not when another M has had its turn (exo_isolate.go)",
	},
	{
		File: "runtime/mgcpacer.go", Decl: "readGOMEMLIMIT", Op: Rename, Text: "exoReadGOMEMLIMIT",
		Why: "exo_limit.go wraps it: without a limit of its own, a program has the machine's memory for one",
	},
	{
		File: "runtime/proc.go", Decl: "wakeNetPoller", Op: Rename, Text: "exoWakeNetPoller",
		Why: "exo_sysmon.go wraps it: a new earliest timer shortens sysmon's sleep",
	},
	{
		File: "runtime/proc.go", Decl: "wakep", Op: Rename, Text: "exoGoWakep",
		Why: "exo_short.go wraps it: with one P there is nobody to wake, a tenth of what a value over a channel costs",
	},
	{
		File: "runtime/proc.go", Decl: "stealWork", Op: Rename, Text: "exoGoStealWork",
		Why: "likewise: nobody to steal from, a twelfth of a short sleep",
	},
	{
		File: "runtime/traceback.go", Decl: "isSystemGoroutine", Op: Rename, Text: "exoGoIsSystemGoroutine",
		Why: "exo_short.go wraps it: a name looked up at each start and end of a goroutine, a sixth of both",
	},
}

// doorEdits is the uintptr door: every call that carries pointers as integers.
var doorEdits = []Edit{
	door("RawSyscall", "r, e := exoDoor(trap, a1, a2, a3, 0, 0, 0); return r, 0, Errno(e)"),
	door("RawSyscall6", "r, e := exoDoor(trap, a1, a2, a3, a4, a5, a6); return r, 0, Errno(e)"),
	door("Syscall", "r, e := exoDoor(trap, a1, a2, a3, 0, 0, 0); return r, 0, Errno(e)"),
	door("Syscall6", "r, e := exoDoor(trap, a1, a2, a3, a4, a5, a6); return r, 0, Errno(e)"),
	{
		File: "syscall/asm_linux_amd64.s", Decl: "·rawSyscallNoError", Op: DropText, Arch: "amd64",
		Why: "exo_linux.go has it: no SYSCALL instruction, and the door knows more calls than the trap does",
	},
	{
		File: "syscall/syscall_linux.go", Decl: "rawSyscallNoError", Op: Drop,
		Why: "exo_linux.go has it, with a body",
	},
}

// door is an edit of one of package syscall's entries, which golang.org/x/sys/unix jumps to as well.
func door(name, text string) Edit {
	return Edit{File: "syscall/syscall_linux.go", Decl: name, Op: Body, Text: text,
		Why: "libos/posix serves it on another goroutine while this one's stack is pinned"}
}

// timeEdits put the time zones into the image.
var timeEdits = []Edit{
	{
		File: "time/zoneinfo_read.go", Decl: "loadFromEmbeddedTZData", Op: Drop,
		Why: "exo_zone.go has it, set from the start",
	},
	{
		File: "time/tzdata/tzdata.go", Decl: "init", Op: Drop,
		Why: "it would link 450 KB of zones into programs that load none",
	},
}
