package main

import "testing"

func TestRates(t *testing.T) {
	const out = "goos: linux\nBenchmarkOurs     \t     356\t   3248235 ns/op\t 300.50 MB/s\nBenchmarkOurs-2   \t 530 \t 2225423 ns/op\t 500 MB/s\t 1 B/op\n" +
		"BenchmarkOurs \t 530 \t 2225423 ns/op\t 400 MB/s\nBenchmarkNetstack \t 226 \t 5312605 ns/op\t 197.38 MB/s\nPASS\n"
	if got, err := rates(out, "Ours"); got != 400 || err != nil {
		t.Errorf("%v, %v, want the median", got, err)
	}
	if got, err := rates(out, "Netstack"); got != 197.38 || err != nil {
		t.Error(got, err)
	}
	if got, err := rates(out, "None"); err == nil {
		t.Error(got, "without a rate")
	}
}
