// Package edu drives QEMU's device for education (QEMU, docs/specs/edu.rst), which computes factorials.
package edu

import "github.com/hardtack-os/hardtack/exo"

const (
	vendor, device = 0x1234, 0x11e8
	identification = 0x00
	factorial      = 0x08
	status         = 0x20
	computing      = 1
)

func init() {
	for _, f := range exo.Discover().Functions {
		if f.Vendor == vendor && f.Device == device {
			if err := drive(f.ID); err != nil {
				println("edu:", err.Error())
			}
			return
		}
	}
	println("edu: there is none")
}

func drive(id exo.FunctionID) error {
	f, err := exo.TakeFunction("edu", id)
	if err != nil {
		return err
	}
	f.Enable()
	m, err := f.BAR("edu", 0)
	if err != nil {
		return err
	}
	m.Store32(factorial, 10)
	for m.Load32(status)&computing != 0 {
	}
	println("edu:", m.Load32(identification)&0xff, m.Load32(factorial))
	return f.Release()
}
