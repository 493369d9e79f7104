// Package build makes an image of a main package: it finds the package, has the
// go command link it with the patched standard library and the libOS modules,
// and turns the result into a bootable file.
//
// The steps are files: locate.go finds the package, context.go prepares what go
// commands need, compile.go runs go build, image.go writes the image,
// diagnose.go explains a failure. Nothing of the app is written to; all
// generated files are in the cache.
//
// A second build of an unchanged app costs what go build costs: the linked
// program stays in the cache, where the go command finds it up to date, and the
// image on disk tells by a key what it was made from.
package build
