package runtime

import "internal/runtime/atomic"

// Contexts and which of them a CPU runs.
//
//	            clone                exoSchedule              exoWait
//	  free ---------------> ready <--------------> running ---------------> waiting
//	    ^                     ^       exoReschedule   |                        |
//	    |                     +--------------------------------- exoWake ------+
//	    +---------------------------------- exit -----+
//
// Each CPU has a queue of ready contexts and a list of sleepers by deadline. A woken context goes to the CPU it ran on if that is idle,
// to another idle one, or to the end of its old CPU's queue; an idle CPU steals. The kernel side never sleeps on a stack of a context:
// when exoWait returns, the context's registers are all in exoContext.regs and another CPU may already run it.

const (
	exoMaxContexts = 16384
	exoSlice       = 4_000_000 // ns a context runs while others wait on the same CPU
	exoHaste       = 100_000   // ns that one which was woken urgently runs before the next such
)

type exoContexts struct {
	lock  exoLock
	table [exoMaxContexts / 512]uintptr // frames of 512 pointers each, direct map
	made  uint32                        // tids given out so far
	free  *exoContext
	live  uint32
}

// exoByTid returns the live context with this id, or nil.
//
//go:noinline
func exoByTid(tid uint32) *exoContext {
	if tid == 0 || tid > atomic.Load(&exo.ctx.made) {
		return nil
	}
	t := (*exoContext)(exoPtr(exoLoad(exo.ctx.table[(tid-1)/512] + uintptr((tid-1)%512)*8)))
	if t == nil || atomic.Load(&t.state) == exoCtxFree {
		return nil
	}
	return t
}

// exoNewContext takes a context off the free list or makes one. nil: no memory, or too many.
func exoNewContext() *exoContext {
	k := &exo.ctx
	k.lock.lock()
	t := k.free
	if t != nil {
		k.free = t.next
		t.next = nil
	} else if k.made < exoMaxContexts {
		i := k.made
		if i%512 == 0 {
			f := exoFrameZeroed()
			if f == 0 {
				k.lock.unlock()
				return nil
			}
			k.table[i/512] = exoDirect(f)
		}
		if f := exoFrameRaw(); f != 0 {
			exoZero(exoDirect(f), exoContextClear)
			t = (*exoContext)(exoPtr(exoDirect(f)))
			t.tid = i + 1
			exoStore(k.table[i/512]+uintptr(i%512)*8, exoDirect(f))
			atomic.Store(&k.made, i+1)
		}
	}
	if t != nil {
		k.live++
	}
	k.lock.unlock()
	return t
}

// exoExitContext ends the current context; the caller schedules.
func exoExitContext(c *exoCPU) {
	t := c.cur
	c.cur = nil
	k := &exo.ctx
	k.lock.lock()
	atomic.Store(&t.state, exoCtxFree)
	t.pending = 0
	t.sigmask = 0
	t.altSize = 0
	t.fpValid = 0
	t.next = k.free
	k.free = t
	k.live--
	k.lock.unlock()
}

// enqueue appends t to the run queue, or, where it is urgent, to those at its head that are so. It reports whether the queue was empty.
func (c *exoCPU) enqueue(t *exoContext, urgent bool) bool {
	c.lock.lock()
	p := &c.runHead
	if urgent {
		for range c.urgent {
			p = &(*p).next
		}
		c.urgent++
	} else if c.runTail != nil {
		p = &c.runTail.next
	}
	t.next = *p
	*p = t
	if t.next == nil {
		c.runTail = t
	}
	was := c.nready
	atomic.Store(&c.nready, was+1)
	c.lock.unlock()
	return was == 0
}

// dequeue takes the first ready context for CPU to, which is another's to steal: not where one of them is for one context alone.
func (c *exoCPU) dequeue(to *exoCPU) *exoContext {
	if atomic.Load(&c.nready) == 0 {
		return nil
	}
	c.lock.lock()
	t := c.runHead
	if c.only != to.only {
		t = nil
	}
	if t != nil {
		if c.urgent != 0 {
			c.urgent--
			to.haste = exoNow() + exoHaste
		}
		c.runHead = t.next
		if c.runHead == nil {
			c.runTail = nil
		}
		t.next = nil
		atomic.Store(&c.nready, c.nready-1)
	}
	c.lock.unlock()
	return t
}

// turn is when the turn of who has the CPU ends, if somebody is ready.
func (c *exoCPU) turn() int64 {
	if c.urgent != 0 {
		return c.haste
	}
	return c.slice
}

// exoReady makes t runnable; its state is ready already. With urgent it runs next, before who holds the CPU now: an interrupt or a
// deadline woke it.
func exoReady(t *exoContext, urgent bool) {
	me := exoSelf()
	c := exo.cpus[t.cpu]
	if c.only != t && (c.only != nil || atomic.Load(&c.idle) == 0) {
		if o := exoIdleCPU(); o != nil {
			c = o
		} else if c.only != nil || urgent {
			// No need to ask another CPU to give way: this one is in the handler already, if it is for all.
			if c = me; c.only != nil {
				c = exo.cpus[0]
			}
		}
	}
	first := c.enqueue(t, urgent)
	switch {
	case c == me:
		if urgent && exoNow() >= c.haste {
			c.resched = 1
		} else if c.cur != nil {
			if first {
				c.slice = exoNow() + exoSlice
			}
			exoArm(c)
		}
	case atomic.Load(&c.idle) != 0:
		exoIPI(c)
	case first || urgent:
		exoIPI(c) // its timer must now end the slice, or it gives way at once
	}
}

// exoWake ends t's wait with the given result. It reports false if something else has ended it.
func exoWake(t *exoContext, result uintptr, urgent bool) bool {
	if !atomic.Cas(&t.state, exoCtxWaiting, exoCtxReady) {
		return false
	}
	exoEndWait(t, result, urgent)
	return true
}

// exoEndWait takes t, whose state the caller has changed from waiting to ready, off whatever lists it is on, one lock at a time, and lets it
// run.
//
//go:noinline
func exoEndWait(t *exoContext, result uintptr, urgent bool) {
	if b := t.bucket; b != nil {
		b.lock.lock()
		b.drop(t)
		b.lock.unlock()
		t.bucket = nil
	}
	if c := t.timer; c != nil {
		c.lock.lock()
		c.unsleep(t)
		c.lock.unlock()
	}
	t.deadline = 0
	t.regs.rax = result
	exoReady(t, urgent)
}

// sleep puts t on this CPU's list of sleepers; lock held.
func (c *exoCPU) sleep(t *exoContext) {
	p := &c.sleepers
	for *p != nil && (*p).deadline <= t.deadline {
		p = &(*p).later
	}
	t.later = *p
	*p = t
	t.timer = c
}

// unsleep takes t off the list, if it still is on it; lock held.
func (c *exoCPU) unsleep(t *exoContext) {
	for p := &c.sleepers; *p != nil; p = &(*p).later {
		if *p == t {
			*p = t.later
			break
		}
	}
	t.later = nil
	t.timer = nil
}

// exoWait takes the current context off the CPU until exoWake or the deadline (monotonic ns, 0: none). What else may wake it must be able to
// from before the call on: the caller has set the state to waiting. result is what the call returns at the deadline.
// With b, the bucket's lock is held and released here.
func exoWait(c *exoCPU, t *exoContext, deadline int64, result uintptr, b *exoBucket) {
	t.deadline = deadline
	t.restart = result
	c.cur = nil
	if deadline != 0 {
		c.lock.lock()
		c.sleep(t)
		c.lock.unlock()
	}
	atomic.Store(&t.state, exoCtxWaiting)
	if b != nil {
		b.lock.unlock()
	}
	// A signal that arrived before the state was set found nobody to wake.
	if atomic.Load64(&t.pending)&^t.sigmask != 0 {
		exoWake(t, exoErr(exoEINTR), false)
	}
	exoSchedule(c)
}

// exoExpire wakes who slept until now.
func exoExpire(c *exoCPU) {
	now := exoNow()
	for {
		c.lock.lock()
		t := c.sleepers
		if t == nil || t.deadline > now {
			c.lock.unlock()
			return
		}
		c.sleepers = t.later
		t.later = nil
		// Who wakes t at this moment takes this lock before it lets t run, as long as t.timer says so.
		won := atomic.Cas(&t.state, exoCtxWaiting, exoCtxReady)
		if won {
			t.timer = nil
		}
		c.lock.unlock()
		if won {
			exoEndWait(t, t.restart, true)
		}
	}
}

// exoSchedule gives the CPU, which has no current context, the next one; it halts until there is one.
func exoSchedule(c *exoCPU) {
	for {
		if s := c.sleepers; s != nil && s.deadline <= exoNow() {
			exoExpire(c)
		}
		c.resched = 0
		c.haste = 0
		t := c.dequeue(c)
		if t == nil {
			t = exoSteal(c)
		}
		if t != nil {
			atomic.Store(&t.cpu, c.id) // before the state: exoPost sends its interrupt there
			atomic.Store(&t.state, exoCtxRunning)
			c.cur = t
			c.switches++
			if at := c.idleAt; at != 0 {
				c.idled += exoNow() - at
				c.idleAt = 0
			}
			if atomic.Load(&c.nready) != 0 {
				c.slice = exoNow() + exoSlice
				if o := exoIdleCPU(); o != nil {
					exoIPI(o) // it comes to steal: two wakers may have chosen the same one before
				}
			}
			exoProfileSwitch(c)
			exoArm(c)
			exoDeliverPending(c, t)
			return
		}
		if exo.acpi.armed == 0 && c.id == 0 {
			exoArmPowerOnce()
		}
		exoArm(c)
		if c.idleAt == 0 {
			c.idleAt = exoNow()
		}
		atomic.Store(&c.idle, 1)
		if atomic.Load(&c.nready) == 0 {
			exoHalt()
		}
		atomic.Store(&c.idle, 0)
		exoTLBPoll(c)
	}
}

// exoIdleCPU returns an idle CPU that takes anybody's contexts, or nil.
//
//go:noinline
func exoIdleCPU() *exoCPU {
	for i := uint32(0); i < exo.ncpu; i++ {
		if o := exo.cpus[i]; atomic.Load(&o.idle) != 0 && atomic.Load(&o.nready) == 0 && o.only == nil && atomic.Load(&o.up) != 0 {
			return o
		}
	}
	return nil
}

// exoSteal takes a ready context from another CPU's queue.
func exoSteal(c *exoCPU) *exoContext {
	for i := uint32(1); i < exo.ncpu; i++ {
		if t := exo.cpus[(c.id+i)%exo.ncpu].dequeue(c); t != nil {
			return t
		}
	}
	return nil
}

// exoReschedule runs after an interrupt that ended the current context's turn, or that brought it a signal.
//
//go:nowritebarrierrec
func exoReschedule() {
	c := exoSelf()
	t := c.cur
	if c.resched == 0 {
		exoDeliverPending(c, t)
		return
	}
	c.cur = nil
	c.forced++
	atomic.Store(&t.state, exoCtxReady)
	c.enqueue(t, false)
	exoSchedule(c)
}

// exoYield lets others run first.
func exoYield(c *exoCPU, t *exoContext) {
	if c.nready == 0 {
		return
	}
	c.cur = nil
	atomic.Store(&t.state, exoCtxReady)
	c.enqueue(t, false)
	exoSchedule(c)
}
