// Package inject brings our module into the build of an app that has never
// heard of it, without touching one of the app's files and without changing
// which versions of other modules, or which language version, the app is built
// with.
//
// How depends on where the app's dependencies are written down:
//
//   - In our own module nothing is to do.
//   - An app with a go.mod is built with -modfile: a copy of its go.mod that also
//     requires our module and replaces it by a folder. go.sum is copied beside it.
//   - An app in a workspace is built with GOWORK set to a copy of its go.work,
//     with absolute paths, that also uses our folder.
//   - With a vendor folder the go command reads vendor/modules.txt itself, past
//     any overlay, and refuses a module that is not in it. So each vendored module
//     is replaced by its folder below vendor, with a go.mod laid over it: the same
//     sources, nothing fetched.
//   - Go files outside any module are built in a workspace that uses our folder
//     alone.
//
// A module may not require one with a newer go line than its own, and raising
// the app's would change the language it is compiled as. So where the app is
// older than our module, a go.mod with the app's version is laid over ours, and
// the compiler is told the true version of our packages by -lang.
//
// Rejected: a shadow tree of links for vendored apps (the go command does not
// follow links to folders, and positions in panics would name the shadow), and
// one workspace for all cases (a workspace selects versions from the full module
// graph, so an app could be built with others than its own go.mod selects).
package inject
