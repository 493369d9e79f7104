package config

import (
	"fmt"
	"strconv"
	"strings"
)

// CheckPageCache refuses what is not MOST[,LEAST].
func CheckPageCache(sizes string) error {
	if sizes == "" {
		return nil
	}
	_, err := pageCacheSizes(sizes)
	return err
}

func pageCacheSizes(sizes string) (list []Size, err error) {
	for _, v := range strings.Split(sizes, ",") {
		n, err := ParseSize(v)
		if err != nil {
			return nil, fmt.Errorf("page cache %q: %w", sizes, err)
		}
		list = append(list, n)
	}
	if len(list) > 2 || len(list) == 2 && list[1] > list[0] {
		return nil, fmt.Errorf("page cache %q: want MOST or MOST,LEAST, as 64M,8M", sizes)
	}
	return list, nil
}

// pageCacheWord is the image's setting, whose reader knows few forms of sizes (libos/fs/pagecache): in whole KiB.
func pageCacheWord(sizes string) string {
	if sizes == "" {
		return ""
	}
	list, err := pageCacheSizes(sizes)
	if err != nil {
		return ""
	}
	var words []string
	for _, n := range list {
		words = append(words, strconv.FormatInt(int64(min(n>>10, 1<<32-1)), 10)+"K")
	}
	return strings.Join(words, ",")
}
