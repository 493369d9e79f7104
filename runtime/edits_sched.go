package runtime

// schedEdits are those of the group [Sched]: the places where Go's scheduler keeps or chooses ready goroutines. What is
// dropped is written anew in _goroot_sched/src/runtime/exo_sched_*.go; Go's global queue stays as it is and becomes the
// policy's inbox.
var schedEdits = []Edit{
	{
		File: "runtime/runtime2.go", Decl: "g", Op: Field, Text: "exoTask exoTask",
		Why: "what a policy keeps of a goroutine stands in it: no allocation, no look-up",
	},
	{
		File: "runtime/proc.go", Decl: "findRunnable", Op: Drop,
		Why: "the policy chooses; with one set of ready goroutines there is nothing to steal and nobody spins (exo_sched_find.go)",
	},
	{
		File: "runtime/exo_short.go", Decl: "wakep", Op: Drop,
		Why: "it would count spinning Ms, of which there are none (exo_sched_find.go)",
	},
	{
		File: "runtime/proc.go", Decl: "runqput", Op: Drop,
		Why: "a ready goroutine goes to the policy",
	},
	{
		File: "runtime/proc.go", Decl: "runqputbatch", Op: Drop,
		Why: "ready goroutines go to the policy",
	},
	{
		File: "runtime/proc.go", Decl: "injectglist", Op: Rename, Text: "exoGoInject",
		Why: "without a P nobody may ask the policy: a running goroutine gives way, so that its P does",
	},
	{
		File: "runtime/proc.go", Decl: "handoffp", Op: Redirect, Text: "runqempty exoSchedEmpty",
		Why: "what is ready is with the policy, not with the P",
	},
	{
		File: "runtime/proc.go", Decl: "pollWork", Op: Redirect, Text: "runqempty exoSchedEmpty",
		Why: "an idle collector stops when the policy has somebody to run",
	},
	{
		File: "runtime/proc.go", Decl: "pidleput", Op: Redirect, Text: "runqempty exoSchedIdle",
		Why: "a P that becomes idle charges nobody for it",
	},
	{
		File: "runtime/proc.go", Decl: "newproc1", Op: Rename, Text: "exoGoNewproc1",
		Why: "a goroutine is born into its parent's class",
	},
	{
		File: "runtime/proc.go", Decl: "stoplockedm", Op: Rename, Text: "exoGoStopLockedM",
		Why: "the deadline of a locked goroutine is its own M's",
	},
	{
		File: "runtime/mgcpacer.go", Decl: "(*gcControllerState).startCycle", Op: Rename, Text: "exoGoStartCycle",
		Why: "a dedicated collector cannot be preempted; fractional ones do the same work by turns, which the policy gives",
	},
	{
		File: "runtime/signal_unix.go", Decl: "doSigPreempt", Op: Rename, Text: "exoGoSigPreempt",
		Why: "the timer's signal means that the policy's time is over",
	},
	{
		File: "runtime/exo_lapic_amd64.go", Decl: "exoArm", Op: Rename, Text: "exoPlainArm",
		Why: "the CPU's timer knows one more thing to wait for: the end of the policy's time",
	},
	{
		File: "runtime/exo_vector.go", Decl: "exoTick", Op: Rename, Text: "exoPlainTick",
		Why: "the end of the policy's time is a signal to the context",
	},
	{
		File: "runtime/exo_state.go", Decl: "exoContext", Op: Field, Text: "schedAt int64",
		Why: "when the policy's time is over",
	},
	{
		File: "runtime/exo_door.go", Decl: "exoSwitch", Op: Rename, Text: "exoPlainSwitch",
		Why: "a server that blocks is of the class of whom it serves",
	},
}
