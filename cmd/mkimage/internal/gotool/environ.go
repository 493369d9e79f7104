package gotool

import (
	"os"
	"slices"
	"strings"
)

// Environ returns our environment with the given variables set. PWD is left
// out: it would tell a command started elsewhere the wrong folder.
func Environ(extra ...string) []string {
	set := func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "PWD" || slices.ContainsFunc(extra, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	}
	return append(slices.DeleteFunc(os.Environ(), set), extra...)
}

// Target is the environment of a build for images.
var Target = []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"}
