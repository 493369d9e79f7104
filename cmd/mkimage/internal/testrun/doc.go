// Package testrun runs the tests of Go packages as images: it compiles each test
// binary, boots it, and reports as go test does.
//
// Packages of the standard library are compiled in a workspace of their own, so
// that the module in the current folder cannot change what is tested; all
// others in the module or workspace they belong to. libOS modules are joined to
// a test binary by a file added to the external test package.
//
// Not there yet: files. A test that reads testdata, or its own sources, needs a
// filesystem in the image; package.folder is where it will be handed over.
//
// Left out on purpose: vet. It looks at sources, and the host's go test or go vet
// looks at them as well.
package testrun
