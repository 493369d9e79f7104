package load

import (
	"math"
	"testing"
)

const second = int64(1e9)

// TestSteady: of a load that does not change all averages come to be, however often somebody asks.
func TestSteady(t *testing.T) {
	for _, every := range []int64{1, 7, 300} {
		var m Meter
		for at := every; at <= 3600; at += every {
			m.Read(at*second, 3*at*second/2)
		}
		got := m.Read(3601*second, 3*3601*second/2)
		for i, minutes := range []float64{1, 5, 15} {
			want := 1.5 * (1 - math.Exp(-3601/(minutes*60)))
			if math.Abs(got[i]-want) > 1e-6 {
				t.Errorf("asked every %d s: %v, want %v at %d", every, got, want, i)
			}
		}
	}
}

// TestFades: a minute after a load has ended, of its average of one minute 1/e is left, and more of the longer ones.
func TestFades(t *testing.T) {
	var m Meter
	full := m.Read(600*second, 2*600*second)
	got := m.Read(660*second, 2*600*second)
	if want := full[0] / math.E; math.Abs(got[0]-want) > 1e-9 || !(got[0] < got[1]) {
		t.Error(full, got)
	}
	if again := m.Read(660*second, 2*600*second); again != got {
		t.Error("asked twice at once:", got, again)
	}
	if back := m.Read(650*second, 2*590*second); back != got {
		t.Error("a clock that stands:", got, back)
	}
}

// TestAgainstSamples: what Linux does every five seconds comes to the same, but for what 1/2048 of fixed point and the place of samples are.
func TestAgainstSamples(t *testing.T) {
	var m Meter
	var linux Averages
	busy := int64(0)
	for at := int64(5); at <= 1200; at += 5 {
		running := at / 100 % 3 // 0, 1, 2 for 100 s each
		busy += running * 5 * second
		for i, minutes := range minutes {
			kept := math.Exp(-5 / (minutes * 60))
			linux[i] = linux[i]*kept + float64(running)*(1-kept)
		}
		if got := m.Read(at*second, busy); math.Abs(got[0]-linux[0])+math.Abs(got[1]-linux[1])+math.Abs(got[2]-linux[2]) > 1e-6 {
			t.Fatal(at, got, linux)
		}
	}
}
