package sched_test

import (
	"os"
	"testing"
)

// toolDir is where tests put the tool they build.
var toolDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sched")
	if err != nil {
		panic(err)
	}
	toolDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
