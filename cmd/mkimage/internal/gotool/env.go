package gotool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// An Env is what the go command says about a folder.
type Env struct {
	GOMOD       string // path of go.mod; empty or the null device outside a module
	GOWORK      string // path of go.work; empty or "off" where none is used
	GOFLAGS     string
	GOMODCACHE  string
	GOVERSION   string
	GO111MODULE string
}

// Ask runs "go env" in dir with extra environment variables.
func Ask(ctx context.Context, goCmd, dir string, extra ...string) (*Env, error) {
	cmd := exec.CommandContext(ctx, goCmd, "env", "-json", "GOMOD", "GOWORK", "GOFLAGS", "GOMODCACHE", "GOVERSION", "GO111MODULE")
	cmd.Dir = dir
	cmd.Env = Environ(extra...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	env := new(Env)
	if err := json.Unmarshal(out, env); err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return env, nil
}

// InModule reports whether the folder belongs to a module.
func (e *Env) InModule() bool { return strings.HasSuffix(e.GOMOD, "go.mod") }

// InWorkspace reports whether a go.work is in force.
func (e *Env) InWorkspace() bool { return e.GOWORK != "" && e.GOWORK != "off" }
