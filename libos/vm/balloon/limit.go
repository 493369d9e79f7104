package balloon

// A limiter moves the Go memory limit along with the balloon, without ever raising it above what the program set.
type limiter struct {
	rt  goRuntime
	own int64 // the program's
	set int64 // what we set last; another value now is the program's
}

func newLimiter(rt goRuntime) limiter {
	now := rt.limit(-1)
	return limiter{rt: rt, own: now, set: now}
}

// atMost sets the limit to n bytes or to the program's own, whichever is lower; noLimit leaves the program's.
func (l *limiter) atMost(n int64) {
	if now := l.rt.limit(-1); now != l.set {
		l.own = now
	}
	l.set = min(n, l.own)
	l.rt.limit(l.set)
}
