//go:build !race

package inet

const race = false
