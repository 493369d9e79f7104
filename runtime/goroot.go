package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/internal/cache"
)

// supported lists the Go releases that the edits are written for, and newestToolchain one that the go command can
// fetch. Others are refused: an edit that is right by luck is worse than none.
var supported = []string{"go1.26", "go1.27"}

const newestToolchain = "go1.27.0"

// arches lists the architectures that have a bottom half.
var arches = []string{"amd64"}

func supportedList() string {
	return "Go " + strings.ReplaceAll(strings.Join(supported, " and "), "go", "")
}

// A goEnv is what the go command says about itself.
type goEnv struct {
	GOROOT, GOVERSION, GOMODCACHE string
}

// askGo runs the go command in dir, where a go.mod or GOTOOLCHAIN may choose another toolchain than the command's own.
// The error is a [*GoCommandError].
func askGo(ctx context.Context, dir, goCmd string) (*goEnv, error) {
	cmd := exec.CommandContext(ctx, goCmd, "env", "-json", "GOROOT", "GOVERSION", "GOMODCACHE")
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	fail := func(err error) (*goEnv, error) {
		return nil, &GoCommandError{strings.Join(cmd.Args, " "), stderr.String(), err}
	}
	if err := cmd.Run(); err != nil {
		return fail(err)
	}
	env := new(goEnv)
	if err := json.Unmarshal(stdout.Bytes(), env); err != nil {
		return fail(err)
	}
	if env.GOROOT == "" || env.GOVERSION == "" {
		return fail(errors.New("it does not know its GOROOT or GOVERSION"))
	}
	// "go1.26.8 X:exp" and "go1.26.8-vendor" are go1.26.8 for us.
	env.GOVERSION, _, _ = strings.Cut(env.GOVERSION, " ")
	return env, nil
}

// checkVersion returns a [*VersionError] unless the release is supported.
func (env *goEnv) checkVersion() error {
	v, _, _ := strings.Cut(env.GOVERSION, "-")
	if !slices.Contains(supported, version.Lang(v)) {
		return &VersionError{env.GOVERSION, env.GOROOT}
	}
	return nil
}

// view returns a name of the Go root by which the go command takes an overlay. It takes none for files below the
// module cache, where GOTOOLCHAIN puts what it fetches, but it goes by name: a symbolic link from outside will do.
// (A folder of links to each entry works as well and gains nothing.) The error is a [*ViewError].
func (env *goEnv) view(cacheDir string) (string, error) {
	if !below(env.GOMODCACHE, env.GOROOT) {
		return env.GOROOT, nil
	}
	h := cache.NewHash("view")
	h.Add(env.GOROOT)
	link := filepath.Join(cacheDir, "goroot", env.GOVERSION+"-"+h.Name()[:8])
	fail := func(err error) (string, error) { return "", &ViewError{env.GOROOT, link, err} }
	if below(env.GOMODCACHE, cacheDir) {
		return fail(errors.New("the cache folder lies in the module cache too"))
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o777); err != nil {
		return fail(err)
	}
	// The name holds a hash of the target, so a link that exists is right, whoever made it.
	if err := os.Symlink(env.GOROOT, link); err != nil && !errors.Is(err, os.ErrExist) {
		return fail(err)
	}
	if _, err := os.Stat(filepath.Join(link, "src")); err != nil {
		return fail(err)
	}
	return link, nil
}

// below reports whether path is dir or lies below it, by name alone, as the go command judges it.
func below(dir, path string) bool {
	if dir == "" {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// goCommand returns the go command of the root itself, which is the one that GOTOOLCHAIN=local makes build with it;
// fallback where the root has none.
func goCommand(root, fallback string) string {
	for _, name := range []string{"go", "go.exe"} {
		path := filepath.Join(root, "bin", name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return fallback
}
