package stat

import (
	"errors"
	"testing"
)

func TestPercentile(t *testing.T) {
	v := []int{5, 1, 4, 2, 3}
	for _, c := range []struct{ p, want int }{{0, 1}, {20, 1}, {21, 2}, {50, 3}, {99, 5}, {100, 5}} {
		if got := Percentile(v, c.p); got != c.want {
			t.Errorf("percentile %d of %v is %d, want %d", c.p, v, got, c.want)
		}
	}
	if v[0] != 5 {
		t.Error("Percentile sorted its argument in place")
	}
	if got := Median([]float64{7}); got != 7 {
		t.Errorf("median of one value is %v, want that value", got)
	}
}

func TestLeastFindsEveryThreshold(t *testing.T) {
	const low, high, step = 10, 50, 4
	for threshold := 0; threshold <= 60; threshold++ {
		probes := 0
		n, found, err := Least(low, high, step, func(n int) (bool, error) {
			probes++
			return n >= threshold, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// The oracle: try them all.
		want, wantFound := 0, false
		for i := low; i <= high; i += step {
			if i >= threshold {
				want, wantFound = i, true
				break
			}
		}
		if n != want || found != wantFound {
			t.Errorf("threshold %d: got %d %v, want %d %v", threshold, n, found, want, wantFound)
		}
		if probes > 5 {
			t.Errorf("threshold %d: %d probes for 11 candidates", threshold, probes)
		}
	}
}

func TestLeastStopsAtAnError(t *testing.T) {
	broken, probes := errors.New("no QEMU"), 0
	_, found, err := Least(1, 1000, 1, func(int) (bool, error) {
		probes++
		return false, broken
	})
	if found || err != broken || probes != 1 {
		t.Errorf("got found %v, error %v after %d probes", found, err, probes)
	}
}

func TestFind(t *testing.T) {
	lines := []string{"RESULT", "RESULT a b c", "noise RESULT p99 1 ms", "RESULT p99 12.5 ms", "RESULT p99 13 ms"}
	if v, err := Find(lines, "p99", "ms"); err != nil || v != 12.5 {
		t.Errorf("got %v, %v", v, err)
	}
	if _, err := Find(lines, "p99", "s"); err == nil {
		t.Error("a result in the wrong unit passes")
	}
	if _, err := Find(lines, "median", "ms"); err == nil {
		t.Error("a missing result passes")
	}
}
