package sched_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
)

// TestHosted has the package without a policy: classes are accepted and mean nothing.
func TestHosted(t *testing.T) {
	c, err := sched.NewClass(sched.Contract{Name: "a", Tickets: 300})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	sched.Go(c, func() {
		sched.Set(c)
		done <- true
	})
	<-done
	if got := c.Contract(); got.Tickets != 300 || !got.Extra || c.Used() != 0 {
		t.Errorf("%+v, used %v", got, c.Used())
	}
	if err := c.Renew(sched.Contract{}); err != nil || c.Contract().Name != "a" || c.Contract().Tickets != sched.DefaultTickets {
		t.Errorf("renewed to %+v, %v", c.Contract(), err)
	}
}

func TestContracts(t *testing.T) {
	for want, c := range map[string]sched.Contract{
		"needs a Name":                           {},
		"Tickets are":                            {Name: "a", Tickets: -1},
		"class a: Ticket":                        {Name: "a", Tickets: sched.MaxTickets + 1},
		"not negative":                           {Name: "a", Slice: -1, Period: 1},
		"needs the Perio":                        {Name: "a", Slice: 1},
		"class b, 2s in 1s: the Slice is longer": {Name: "b", Slice: 2 * time.Second, Period: time.Second},
		"longer than an hour":                    {Name: "a", Period: 2 * time.Hour},
	} {
		_, err := sched.NewClass(c)
		if e := (*sched.ContractError)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}
