package testrun

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// testFlags are the flags of a test binary (package testing), without "test.".
var testFlags = map[string]bool{
	"artifacts": true, "bench": true, "benchmem": true, "benchtime": true, "blockprofile": true, "blockprofilerate": true,
	"count": true, "coverprofile": true, "cpu": true, "cpuprofile": true, "failfast": true, "fullpath": true, "fuzz": true,
	"fuzzcachedir": true, "fuzzminimizetime": true, "fuzztime": true, "list": true, "memprofile": true,
	"memprofilerate": true, "mutexprofile": true, "mutexprofilefraction": true, "outputdir": true, "parallel": true,
	"run": true, "short": true, "shuffle": true, "skip": true, "timeout": true, "trace": true, "v": true,
}

// switches are those of testFlags whose value, if any, is joined to them by "=".
var switches = map[string]bool{"artifacts": true, "benchmem": true, "failfast": true, "fullpath": true, "short": true, "v": true}

// IsFlag tells whether go test hands a flag on to the test binary, and whether
// the next argument is its value.
func IsFlag(name string) (is, takesNext bool) {
	name = strings.TrimPrefix(name, "test.")
	return testFlags[name], testFlags[name] && !switches[name]
}

// defaultTimeout is go test's.
const defaultTimeout = 10 * time.Minute

// arguments are the flags for a test binary, of which we have to know some.
type arguments struct {
	args    []string
	skip    string        // value of -skip
	timeout time.Duration // value of -timeout; 0 for none
	verbose bool          // -v
	outputs *outputs
	show    bool // output of passing tests is shown, as go test does with these flags
}

// parseArgs maps flags as go test takes them to those of the test binary. The
// flags -skip, -timeout and -v are set aside; the binary gets them from us.
func parseArgs(in []string) (arguments, error) {
	a := arguments{timeout: defaultTimeout, outputs: &outputs{files: map[string]string{}}}
	for i := 0; i < len(in); i++ {
		arg := in[i]
		if arg == "-args" || arg == "--args" {
			a.args = append(a.args, in[i+1:]...)
			break
		}
		name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		name = strings.TrimPrefix(name, "test.")
		if !strings.HasPrefix(arg, "-") || !testFlags[name] {
			a.args = append(a.args, arg)
			continue
		}
		// The value of the flags we set aside may be the next argument.
		next := func() string {
			if !hasValue && i+1 < len(in) {
				i++
				value = in[i]
			}
			return value
		}
		switch name {
		case "skip":
			a.skip = next()
		case "timeout":
			d, err := time.ParseDuration(next())
			if err != nil {
				return a, fmt.Errorf("-timeout: want a duration, as 30s or 10m: %w", err)
			}
			a.timeout = d
		case "fuzz":
			if next() != "" {
				return a, errors.New("-fuzz: fuzzing runs its workers as processes, and an image has one; fuzz on the host, by go test -fuzz (mkimage test runs the seeds)")
			}
		case "v":
			a.verbose = !hasValue || value != "false"
			a.show = a.show || a.verbose
		case "outputdir":
			a.outputs.dir = next()
		default:
			if outputFlags[name] {
				a.outputs.files[name] = next()
				break
			}
			a.show = a.show || name == "bench" || name == "list"
			arg = "-test." + name
			if hasValue {
				arg += "=" + value
			}
			a.args = append(a.args, arg)
		}
	}
	return a, nil
}

// binary returns the arguments for the test binary of a package. skip is the
// pattern of tests that cannot pass.
func (a arguments) binary(skip string, json bool) []string {
	if a.skip != "" && skip != "" {
		skip = a.skip + "|" + skip
	} else if a.skip != "" {
		skip = a.skip
	}
	out := []string{"-test.paniconexit0", "-test.timeout=" + a.timeout.String()}
	switch {
	case json:
		out = append(out, "-test.v=test2json")
	case a.verbose:
		out = append(out, "-test.v")
	}
	if skip != "" {
		out = append(out, "-test.skip="+skip)
	}
	return append(out, a.args...)
}
