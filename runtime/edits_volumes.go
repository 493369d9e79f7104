package runtime

// volumesEdits are those of the group [Volumes]: the ways in which a program dies, which wait for its volumes (exo_death.go), frames that caches can spare (exo_spare.go), and files without a finalizer until a collection begins (exo_young.go).
var volumesEdits = []Edit{
	{
		File: "runtime/panic.go", Decl: "preprintpanics", Op: Rename, Text: "exoGoPreprintpanics",
		Why: "a panic that nobody recovers: the last moment at which goroutines run",
	},
	{
		File: "runtime/panic.go", Decl: "maps_fatal", Op: Redirect, Text: "fatal exoFatal",
		Why: "a map that is written by two at once is the program's mistake: the runtime is well",
	},
	{
		File: "runtime/panic.go", Decl: "sync_fatal", Op: Redirect, Text: "fatal exoFatal",
		Why: "so is the misuse of a lock",
	},
	{
		File: "runtime/panic.go", Decl: "internal_sync_fatal", Op: Redirect, Text: "fatal exoFatal",
		Why: "so is the misuse of a lock",
	},
	{
		File: "runtime/signal_unix.go", Decl: "dieFromSignal", Op: Rename, Text: "exoGoDieFromSignal",
		Why: "a signal that nobody handles ends the program from a goroutine of its own, which can wait",
	},
	{
		File: "runtime/exo_sysmon.go", Decl: "exoSysmonSleep", Op: Rename, Text: "exoPlainSysmonSleep",
		Why: "a signal is obeyed although no goroutine gets a turn",
	},
	{
		File: "runtime/exo_nospare.go", Decl: "exoSpareTake", Op: Drop,
		Why: "filesystems on disks have a page cache, whose frames the allocator takes when it has none",
	},
	{
		File: "runtime/exo_nospare.go", Decl: "exoSpareFree", Op: Drop,
		Why: "what may be taken counts as free",
	},
	{
		File: "runtime/exo_nospare.go", Decl: "exoHwSpareOpen", Op: Drop,
		Why: "there is spare memory",
	},
	{
		File: "runtime/exo_nospare.go", Decl: "exoHwSpareFill", Op: Drop,
		Why: "it is filled",
	},
	{
		File: "runtime/exo_nospare.go", Decl: "exoHwSpareDrop", Op: Drop,
		Why: "it is given back",
	},
	{
		File: "runtime/exo_nospare.go", Decl: "exoHwSpareTaken", Op: Drop,
		Why: "what was taken is counted",
	},
	{
		File: "runtime/exo_exithook.go", Decl: "exoAtDeath", Op: Drop,
		Why: "exo_death.go has one that does something",
	},
	{
		File: "runtime/mgc.go", Decl: "gcStart", Op: Rename, Text: "exoGoGCStart",
		Why: "exo_young.go wraps it: files get their finalizers when a collection begins, which most of them do not live to see",
	},
	{
		File: "os/file_unix.go", Decl: "newFile", Op: Redirect, Text: "runtime.SetFinalizer exoFinalizer",
		Why: "a finalizer set and taken back is a fifth of opening and closing a file: exo_young.go waits for a collection",
	},
	{
		File: "os/file_unix.go", Decl: "(*file).close", Op: Redirect, Text: "runtime.SetFinalizer exoNoFinalizer",
		Why: "likewise",
	},
	{
		File: "os/file_unix.go", Decl: "file", Op: Field, Text: "exoAt uint16",
		Why: "which place of those that wait is the file's",
	},
}
