// Package image holds tests that boot images and watch from outside whether the bottom half keeps its promises: page
// protection, reports of faults, Go's semantics, clocks, memory, threads, vector state.
//
// Each folder of guest is an ordinary program with subcommands, built once into an image and booted by many tests. A
// guest prints what it saw; the test judges. What the tool and its flags do is tested in cmd/mkimage, devices in exo.
package image
