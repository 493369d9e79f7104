//go:build !linux

package block

import "os"

const punches = false

func punch(*os.File, int64, int64) error { return nil }
