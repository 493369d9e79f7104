package runtime

// volumesEdits are those of the group [Volumes]: the ways in which a program dies, which wait for its volumes (exo_death.go).
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
		File: "runtime/exo_exithook.go", Decl: "exoAtDeath", Op: Drop,
		Why: "exo_death.go has one that does something",
	},
}
