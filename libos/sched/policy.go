package sched

// Limits, so that a policy can keep what it needs in arrays.
const (
	MaxCPUs    = 256 // GOMAXPROCS may not be more
	MaxClasses = 64
)

// A Why says how a task came to be ready.
type Why int32

const (
	New   Why = iota // it has never run
	Woken            // what it waited for has happened
	Ran              // it ran and could go on: its time was over, or it gave way
)

// A Policy decides which ready task runs next. See the package's documentation for what its methods may not do.
//
// A task goes round: Enqueue, Pick, Charge, Enqueue ... Charge comes before the next Enqueue, always. CPUs are numbered from 0
// and less than [MaxCPUs]; now is monotonic nanoseconds.
type Policy interface {
	// Name is the policy's, for errors.
	Name() string

	// Admit gives class c the contract that it asks for, or says in a few words which rule forbids that and changes
	// nothing. [System] and [Default] come first and must be admitted.
	Admit(c *Class, want Contract) (refusal string)

	// Enqueue takes a task that became ready on cpu. It returns the CPU that should stop what it runs and ask again, or
	// -1. (It is heeded if no CPU is idle.)
	Enqueue(cpu int, t *Task, why Why, now int64) (preempt int)

	// Pick gives a task to run on cpu and says until when it may run; 0 is for as long as it can. If nothing may run now,
	// it returns nil and when to ask again, 0 if it has no task at all. It is asked sooner if something becomes ready.
	Pick(cpu int, now int64) (t *Task, until int64)

	// Charge says that t, which Pick gave cpu, has stopped running there after ran nanoseconds.
	Charge(cpu int, t *Task, ran int64)
}

// policy is the one that was registered.
var policy Policy

// Register makes p the program's policy. The package of a policy calls it in its init function, once.
func Register(p Policy) {
	if policy != nil {
		panic("sched: two policies were linked, " + policy.Name() + " and " + p.Name() + ": choose one --module")
	}
	policy = p
	for _, c := range []*Class{System, Default} {
		if refusal := p.Admit(c, c.contract); refusal != "" {
			panic("sched: policy " + p.Name() + " does not admit the class " + c.contract.Name + ": " + refusal)
		}
	}
	machineStart()
}

// CPUs returns how many CPUs run goroutines (GOMAXPROCS), as far as the policy is concerned.
func CPUs() int { return int(machineProcs()) }
