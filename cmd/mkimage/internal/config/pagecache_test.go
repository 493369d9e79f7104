package config

import "testing"

func TestPageCacheWord(t *testing.T) {
	for v, want := range map[string]string{
		"":               "",
		"64M":            "65536K",
		"64M,8m":         "65536K,8192K",
		"1GiB,1GiB":      "1048576K,1048576K",
		"2097152,1536K":  "2048K,1536K",
		"1048577":        "1024K",
		"4194304T,1024K": "4294967295K,1024K", // as much as the image reads
	} {
		if err := CheckPageCache(v); err != nil {
			t.Error(err)
		}
		if got := pageCacheWord(v); got != want {
			t.Errorf("%q: %q, want %q", v, got, want)
		}
	}
	for _, v := range []string{"x", ",", "64M,", ",8M", "8M,64M", "64M,8M,1M", "-1M", "0", "1", "64M 8M"} {
		if CheckPageCache(v) == nil {
			t.Errorf("%q passes", v)
		}
	}
}
