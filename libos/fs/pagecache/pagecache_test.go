package pagecache

import "testing"

// TestCacheSize reads the word of the page cache. What makes no sense is told, and means what no word means.
func TestCacheSize(t *testing.T) {
	const memory = 512 << 20
	for word, want := range map[string][2]uint64{
		"":            {memory, memory / 64},
		"64M":         {64 << 20, memory / 64},
		"64M,2M":      {64 << 20, 2 << 20},
		"2M":          {2 << 20, 2 << 20},
		"65536K,0":    {64 << 20, 4 * slotBytes},
		"0":           {8 * slotBytes, 4 * slotBytes},
		"8G,8G":       {memory, memory / 4},
		"1048576":     {1 << 20, 1 << 20},
		"4294967295G": {memory, memory / 64},
	} {
		if most, least, err := cacheSize(word, memory); most != want[0] || least != want[1] || err != nil {
			t.Errorf("pagecache=%s: %d, %d, %v; want %d", word, most, least, err, want)
		}
	}
	for _, word := range []string{"x", "1M,", ",1M", "M", "-1", "1M,2M", "1,2,3", "4294967296", "1m", "1MM"} {
		if most, least, err := cacheSize(word, memory); most != memory || least != memory/64 || err == nil {
			t.Errorf("pagecache=%s: %d, %d, %v", word, most, least, err)
		}
	}
}
