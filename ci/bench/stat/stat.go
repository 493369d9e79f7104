// Package stat holds the bench's arithmetic: order statistics, bisection, and reading the results that guest
// programs print.
package stat

import (
	"cmp"
	"slices"
	"sort"
)

// Percentile returns the smallest of v that at least p percent of v do not exceed (the nearest-rank method, so
// that the answer is always something that was measured). v must not be empty; it is not changed.
func Percentile[T cmp.Ordered](v []T, p int) T {
	v = slices.Sorted(slices.Values(v))
	rank := (len(v)*p + 99) / 100
	return v[max(rank, 1)-1]
}

// Median is the 50th percentile.
func Median[T cmp.Ordered](v []T) T { return Percentile(v, 50) }

// Least returns the smallest n in low, low+step, ... high at which ok holds. ok must fail below some n and hold
// from there on. If it does not hold at high, found is false. An error from ok ends the search.
func Least(low, high, step int, ok func(n int) (bool, error)) (n int, found bool, err error) {
	steps := (high - low) / step
	probe := func(i int) bool {
		if err != nil {
			return true
		}
		var good bool
		good, err = ok(low + i*step)
		return good
	}
	i := sort.Search(steps+1, probe)
	if err != nil || i > steps {
		return 0, false, err
	}
	return low + i*step, true, nil
}
