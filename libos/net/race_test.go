//go:build race

package inet

const race = true
