package balloon

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
)

// A goRuntime is what the module needs of the program it is in.
type goRuntime interface {
	// limit sets the memory limit in bytes, and returns the one before; below 0 only returns it.
	limit(n int64) int64

	// collect collects the heap and gives what is free in it back.
	collect()

	// uses is how many bytes the program has now, with what nobody uses any more.
	uses() int64

	// needs is how many bytes the program had in use when it was collected last, heap and all.
	needs() int64
}

// noLimit is a memory limit that is none.
const noLimit = math.MaxInt64

// program is the one that this package is linked into.
type program struct{}

func (program) limit(n int64) int64 { return debug.SetMemoryLimit(n) }
func (program) collect()            { debug.FreeOSMemory() }

func (program) uses() int64 {
	v := read("/memory/classes/total:bytes", "/memory/classes/heap/released:bytes")
	return v[0] - v[1]
}

func (program) needs() int64 {
	v := read("/gc/heap/live:bytes", "/memory/classes/total:bytes", "/memory/classes/heap/objects:bytes",
		"/memory/classes/heap/unused:bytes", "/memory/classes/heap/free:bytes", "/memory/classes/heap/released:bytes")
	return v[0] + v[1] - v[2] - v[3] - v[4] - v[5]
}

// read gives the values of metrics of package runtime/metrics; 0 for one that there is not.
func read(names ...string) []int64 {
	s := make([]metrics.Sample, len(names))
	for i := range s {
		s[i].Name = names[i]
	}
	metrics.Read(s)
	v := make([]int64, len(names))
	for i := range s {
		if s[i].Value.Kind() == metrics.KindUint64 {
			v[i] = int64(s[i].Value.Uint64())
		}
	}
	return v
}
