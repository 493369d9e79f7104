package main

import (
	"testing"
	"time"
)

func TestParseWrk(t *testing.T) {
	const report = `Running 1s test @ http://10.0.0.2/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.12ms    2.30ms  40.17ms   91.08%
    Req/Sec   328.00     59.21   430.00     70.00%
  Latency Distribution
     50%    5.61ms
     75%    6.56ms
     90%    7.98ms
     99%   16.50ms
  328 requests in 1.00s, 42.28KB read
Requests/sec:    327.15
Transfer/sec:     42.17KB
`
	l, err := parseWrk(report)
	if err != nil || l.Rate != 327.15 || l.P99 != 16500*time.Microsecond {
		t.Errorf("got %+v, %v", l, err)
	}
	for _, bad := range []string{"", report + "  Socket errors: connect 0, read 1, write 0, timeout 0\n", report + "  Non-2xx or 3xx responses: 7\n"} {
		if _, err := parseWrk(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
