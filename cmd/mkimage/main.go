// Command mkimage builds an unmodified Go program into an image that boots by
// itself, runs it in QEMU, and runs Go tests that way.
//
// Its parts are in internal/: cli parses the command line, config holds what it
// and libos.toml say, build makes images (inject brings our module into the
// app's build), qemu runs them, testrun runs test binaries, doctor looks at the
// machine. It is a module of its own so that what it depends on never reaches
// an app.
package main

import (
	"os"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:]))
}
