package runtime

// exoBeforeGC is called before a collection begins, on the goroutine that begins it, which may be in any allocation; it may allocate. Package os gives it a value where it is linked, before anything runs.
var exoBeforeGC func()

func gcStart(trigger gcTrigger) {
	mp := acquirem()
	ok := exoBeforeGC != nil && getg() != mp.g0 && mp.locks == 1 && mp.preemptoff == "" // else no collection begins, or not here
	releasem(mp)
	if ok {
		exoBeforeGC()
	}
	exoGoGCStart(trigger)
}
