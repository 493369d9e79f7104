// Package tick has the time that protocol code is told: it never asks for it.
package tick

import "time"

// A Time is a monotonic time in nanoseconds, from a moment that the caller chose (boot, as a rule). 0 is no time: as a deadline it means none.
type Time int64

// Add gives the time d later.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub gives how much later t is than u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Due tells whether the deadline t has come at now.
func (t Time) Due(now Time) bool { return t != 0 && t <= now }

// Sooner gives the earlier of two deadlines, of which 0 is none.
func Sooner(a, b Time) Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
