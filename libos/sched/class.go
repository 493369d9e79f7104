package sched

import (
	"errors"
	"sync"
	"time"
)

// A Contract is what a class asks for. A policy heeds what it knows of and ignores the rest.
type Contract struct {
	Name    string        // for reports
	Tickets int           // a share, in proportion to the tickets of the classes that want to run; 0 is 100
	Slice   time.Duration // of CPU time, guaranteed in every Period; 0 is no guarantee
	Period  time.Duration //
	Extra   bool          // the class may use time that nobody else is guaranteed; always so without a Slice
}

// MaxTickets is the most that a class can have.
const MaxTickets = 1 << 20

// DefaultTickets is what a class has that asks for none.
const DefaultTickets = 100

// check refuses what no policy could give.
func (c Contract) check() error {
	switch {
	case c.Name == "":
		return errors.New("a contract needs a Name")
	case c.Tickets < 0 || c.Tickets > MaxTickets:
		return errors.New("Tickets are 0 (for 100) to 1048576")
	case c.Slice < 0 || c.Period < 0:
		return errors.New("Slice and Period are not negative")
	case c.Slice > 0 && c.Period == 0:
		return errors.New("a Slice needs the Period in which it is given")
	case c.Slice > c.Period:
		return errors.New("the Slice is longer than the Period")
	case c.Period > time.Hour:
		return errors.New("the Period is longer than an hour")
	}
	return nil
}

// Tickets and the like, with what 0 stands for.
func (c Contract) normal() Contract {
	if c.Tickets == 0 {
		c.Tickets = DefaultTickets
	}
	c.Extra = c.Extra || c.Slice == 0
	return c
}

// String is the contract as errors show it.
func (c Contract) String() string {
	s := "class " + c.Name
	if c.Slice != 0 {
		s += ", " + c.Slice.String() + " in " + c.Period.String()
	}
	return s
}

// A ContractError says that a class cannot have what it asks for.
type ContractError struct {
	Contract Contract
	Policy   string // that refused it; empty: no policy could give this
	Rule     string // that forbids it
}

func (e *ContractError) Error() string {
	who := ""
	if e.Policy != "" {
		who = e.Policy + ": "
	}
	return "sched: " + e.Contract.String() + ": " + who + e.Rule
}

// A Class is a set of goroutines with one contract.
type Class struct {
	id       int
	contract Contract // under classes.Mutex
	used     int64    // ns, under the scheduler's lock
}

// The classes that always exist.
var (
	// System is the class of the runtime's own goroutines, of the collector's turns and of the libOS's goroutines.
	System = &Class{id: 0, contract: Contract{Name: "system"}.normal()}

	// Default is the class of main and of all that have no other.
	Default = &Class{id: 1, contract: Contract{Name: "default"}.normal()}
)

var classes struct {
	sync.Mutex
	made int // beside System and Default
}

// NewClass makes a class. The error is a [*ContractError]. Classes are not freed; [Class.Renew] gives back what one holds.
func NewClass(want Contract) (*Class, error) {
	classes.Lock()
	defer classes.Unlock()
	if classes.made == MaxClasses-2 {
		return nil, &ContractError{Contract: want, Rule: "there are 64 classes already"}
	}
	c := &Class{id: classes.made + 2}
	if err := c.admit(want); err != nil {
		return nil, err
	}
	classes.made++
	return c, nil
}

// Renew gives the class another contract in place of the one it has. If that is refused, with a [*ContractError], the old one
// holds. An empty one gives back whatever was guaranteed; the class's Name stays if none is given.
func (c *Class) Renew(want Contract) error {
	classes.Lock()
	defer classes.Unlock()
	if want.Name == "" {
		want.Name = c.contract.Name
	}
	return c.admit(want)
}

// admit asks the policy; the lock is held.
func (c *Class) admit(want Contract) error {
	if err := want.check(); err != nil {
		return &ContractError{Contract: want, Rule: err.Error()}
	}
	full := want.normal()
	refusal := ""
	if policy != nil {
		machineLocked(func() { refusal = policy.Admit(c, full) })
	}
	if refusal != "" {
		return &ContractError{want, policy.Name(), refusal}
	}
	c.contract = full
	return nil
}

// ID is a small number of the class's own, less than [MaxClasses]. System's is 0.
func (c *Class) ID() int { return c.id }

// Contract returns what the class has.
func (c *Class) Contract() Contract {
	classes.Lock()
	defer classes.Unlock()
	return c.contract
}

// Used returns the CPU time that the class's goroutines have had. It is 0 without a policy.
func (c *Class) Used() time.Duration { return time.Duration(machineUsed(c)) }
