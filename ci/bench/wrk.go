package main

import (
	"fmt"
	"strings"
	"time"
)

// parseWrk reads the report of `wrk --latency`. Requests that failed make it an error.
func parseWrk(out string) (l Load, err error) {
	for line := range strings.SplitSeq(out, "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "99%":
			l.P99, err = time.ParseDuration(f[1])
		case len(f) == 2 && f[0] == "Requests/sec:":
			_, err = fmt.Sscan(f[1], &l.Rate)
		case strings.HasPrefix(strings.TrimSpace(line), "Socket errors"), strings.HasPrefix(strings.TrimSpace(line), "Non-2xx"):
			err = fmt.Errorf("wrk: %s", strings.TrimSpace(line))
		}
		if err != nil {
			return Load{}, err
		}
	}
	if l.Rate == 0 || l.P99 == 0 {
		return Load{}, fmt.Errorf("wrk reports no requests: %s", strings.TrimSpace(out))
	}
	return l, nil
}
