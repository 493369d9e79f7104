//go:build !(linux && amd64)

package stepcount

import "fmt"

// Until needs Linux on x86-64.
func Until(program string, until, hold uint64) (int64, error) {
	return 0, fmt.Errorf("counting the instructions of %s needs Linux on x86-64", program)
}
