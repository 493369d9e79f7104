package report

import (
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	var b strings.Builder
	err := Write(&b, []string{"QEMU 1"}, []Line{
		{What: "a|b", Ours: "1", Reach: "2", Met: "yes"},
		{What: "c", Ours: "not measured:\nno QEMU", Linux: "3", Reach: "4", Met: "?", Notes: []string{"why\nnot"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"- QEMU 1\n",
		"| a\\|b | 1 | – | 2 | yes |\n",
		"| c (2) | not measured: no QEMU | 3 | 4 | ? |\n",
		"- (2) why not\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", -1234567: "-1 234 567", 521000: "521 000"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{512: "0.5 KiB", 131072: "128.0 KiB", 6 << 20: "6.00 MiB", -2048: "-2.0 KiB"} {
		if got := KiB(n); got != want {
			t.Errorf("KiB(%d) = %q, want %q", n, got, want)
		}
	}
}
