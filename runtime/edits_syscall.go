package runtime

// syscallEdits is the typed door: the wrappers in std that are hot, or that block, call libos/posix as plain Go. Each
// keeps its name, signature and way of reporting errors; without the edit it would still work, through the uintptr
// door, at the cost of a goroutine switch.
var syscallEdits = []Edit{
	wrapper("read", "return exoResult(exoRead(fd, p))", "hot, and blocks by parking instead of holding a thread"),
	wrapper("write", "return exoResult(exoWrite(fd, p))", "hot, and blocks by parking instead of holding a thread"),
	wrapper("pread", "return exoResult(exoPread(fd, p, offset))", "hot: every ReadAt"),
	wrapper("pwrite", "return exoResult(exoPwrite(fd, p, offset))", "hot: every WriteAt"),
	wrapper("Close", "_, err = exoResult(0, exoClose(fd)); return", "once for every connection and file"),
	wrapper("Dup", "return exoResult(exoDup(oldfd))", "no detour for a table look-up"),
	wrapper("Dup2", "_, err = exoResult(exoDup2(oldfd, newfd)); return", "no detour for a table look-up"),
	wrapper("Dup3", "_, err = exoResult(exoDup3(oldfd, newfd, flags)); return", "no detour for a table look-up"),
	wrapper("fcntl", "return exoResult(exoFcntl(fd, cmd, arg))", "os.NewFile asks it for each standard file before main"),
	wrapper("Fstat", "_, err = exoResult(0, exoFstat(fd, stat)); return", "once for every file opened"),
	wrapper("openat", "return exoResult(exoOpenat(dirfd, path, flags, mode))", "once for every file opened: no copy of its path, which blocks as long as a disk does"),
	wrapper("fstatat", "_, err = exoResult(0, exoFstatat(fd, path, stat, flags)); return", "hot: os.Stat and os.Lstat"),
	wrapper("pipe2", "_, err = exoResult(0, exoPipe2(p, flags)); return", "no detour for making two descriptors"),
	wrapper("recvfrom", "return exoResult(exoRecvfrom(fd, p, flags, from, fromlen))", "hot: every datagram of a net.UDPConn; the address lies on the caller's stack"),
	wrapper("sendto", "_, err = exoResult(exoSendto(s, buf, flags, to, addrlen)); return", "hot: likewise"),
	wrapper("accept4", "return exoResult(exoAccept4(s, rsa, addrlen, flags))", "once for every connection: the address lies on the caller's stack"),
	wrapper("getsockname", "_, err = exoResult(0, exoGetsockname(fd, rsa, addrlen)); return", "likewise"),
	wrapper("setsockopt", "_, err = exoResult(0, exoSetsockopt(s, level, name, val, vallen)); return", "five times for every connection: likewise"),
	wrapper("prlimit1", "_, err = exoResult(0, exoPrlimit(pid, resource, newlimit, old)); return",
		"package syscall's init asks for RLIMIT_NOFILE before main"),
	{
		File: "os/file_unix.go", Decl: "openFileNolog", Op: Redirect, Text: "newFile exoOpened",
		Why: "a file is not for the poller, which costs four calls of fcntl to find out (exo_file.go): a tenth of opening and closing one",
	},
	{
		File: "os/root_unix.go", Decl: "rootOpenFileNolog", Op: Redirect, Text: "newFile exoOpened",
		Why: "likewise, for os.Root",
	},
	{
		File: "syscall/exec_linux.go", Decl: "forkAndExecInChild", Op: Body,
		Text: "_, _, e := RawSyscall(SYS_EXECVE, 0, 0, 0); return 0, e",
		Why:  "there is one process; and its own SYSCALL instructions would reach the runtime's clone",
	},
	{
		File: "syscall/syscall_linux.go", Decl: "AllThreadsSyscall", Op: Body, Text: "return RawSyscall(trap, a1, a2, a3)",
		Why: "Setuid and its like: what Linux keeps for each thread is kept once; a call of the stopped runtime's would end at the trap door, which does not know it",
	},
	{
		File: "syscall/syscall_linux.go", Decl: "AllThreadsSyscall6", Op: Body, Text: "return RawSyscall6(trap, a1, a2, a3, a4, a5, a6)",
		Why: "likewise",
	},
	{
		File: "internal/poll/fd_writev_unix.go", Decl: "writev", Op: Body,
		Text: "n, e := exoWritev(fd, iovecs); if e != 0 { return uintptr(n), e }; return uintptr(n), nil",
		Why:  "hot: net.Buffers",
	},
	{
		File: "internal/syscall/unix/fcntl_unix.go", Decl: "Fcntl", Op: Body,
		Text: "val, e := exoFcntl(fd, cmd, arg); if e != 0 { return val, e }; return val, nil",
		Why:  "it goes through package runtime, whose calls end at the trap door, which knows no descriptors",
	},
	{
		File: "internal/syscall/unix/getrandom.go", Decl: "GetRandom", Op: Body,
		Text: "n, e := exoGetrandom(p, uint(flags)); if e != 0 { return 0, e }; return n, nil",
		Why:  "hot in crypto; there is no vDSO to ask first",
	},
}

// wrapper is an edit of one of package syscall's generated wrappers.
func wrapper(name, text, why string) Edit {
	return Edit{File: "syscall/zsyscall_linux_amd64.go", Decl: name, Op: Body, Text: text, Why: why, Arch: "amd64"}
}
