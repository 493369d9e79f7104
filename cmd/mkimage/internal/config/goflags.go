package config

// A GoFlag is a flag of go build that mkimage passes on.
type GoFlag struct {
	Name  string
	Bool  bool   // may stand without a value
	Usage string // for help texts
}

// GoFlags are the flags of go build that mkimage passes on, or refuses with a
// reason that a user understands (see Refusals).
var GoFlags = []GoFlag{
	{"a", true, "force rebuilding of packages that are up to date"},
	{"asmflags", false, "arguments for each go tool asm invocation"},
	{"buildvcs", true, "whether to stamp with version control information"},
	{"cover", true, "enable code coverage instrumentation"},
	{"covermode", false, "mode of coverage analysis: set, count, atomic"},
	{"coverpkg", false, "patterns of the packages to instrument"},
	{"gcflags", false, "arguments for each go tool compile invocation"},
	{"ldflags", false, "arguments for each go tool link invocation"},
	{"mod", false, "module download mode: readonly, vendor, mod"},
	{"modcacherw", true, "leave new folders of the module cache writable"},
	{"modfile", false, "read (and possibly write) an alternate go.mod file"},
	{"overlay", false, "JSON file that replaces files of the build"},
	{"pgo", false, "profile for profile-guided optimisation"},
	{"tags", false, "comma-separated list of additional build tags"},
	{"toolexec", false, "program that runs the toolchain's programs"},
	{"trimpath", true, "remove file system paths from the result"},
	{"work", true, "print and keep the temporary work folder"},
	{"x", true, "print the commands that go runs"},

	{"race", true, "not in images: see the error"},
	{"msan", true, "not in images: see the error"},
	{"asan", true, "not in images: see the error"},
	{"buildmode", false, "only exe can be booted"},
}

// Refusals are the reasons why a flag of go build cannot be used for an image.
var Refusals = map[string]string{
	"race":      "the race detector needs cgo and its C library, which an image does not have; use go build -race or go test -race on the host",
	"msan":      "the memory sanitizer needs cgo, which an image does not have",
	"asan":      "the address sanitizer needs cgo, which an image does not have",
	"buildmode": "an image is always built with -buildmode=exe",
}
