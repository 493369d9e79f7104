package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// The tests of this folder run the real tool: it is built once, programs are
// written to temporary folders, images boot in QEMU. They share the user's
// cache, so that only the first run compiles Go's library.

var tool string // path of the built mkimage

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mkimage-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	tool = filepath.Join(dir, "mkimage.exe")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build mkimage: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// testTimeout bounds one run of the tool, which may have to compile a lot.
const testTimeout = 15 * time.Minute

// A call is one run of mkimage and what came of it.
type call struct {
	dir       string   // where it runs
	env       []string // in addition
	stdin     string
	stdinFile string // instead of stdin
	stdout    string
	stderr    string
	code      int
}

// mkimage runs the tool.
func (c *call) mkimage(t *testing.T, args ...string) {
	t.Helper()
	cmd := c.command(t, args...)
	if c.stdinFile != "" {
		f, err := os.Open(c.stdinFile)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.Stdin = f
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := child.Run(cmd)
	c.stdout, c.stderr, c.code = stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if t.Failed() || testing.Verbose() {
		used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // with that of what it started and waited for: go, QEMU
		t.Logf("mkimage %s\nexit %d, after %v of CPU\n%s%s", strings.Join(args, " "), c.code, used.Round(10*time.Millisecond), c.stdout, c.stderr)
	}
}

func (c *call) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdin = strings.NewReader(c.stdin)
	timer := time.AfterFunc(testTimeout, func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
	})
	t.Cleanup(func() { timer.Stop() })
	return cmd
}

// want checks exit code and output. Each of the texts must be in either stream.
func (c *call) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if c.code != code {
		t.Errorf("exit code %d, want %d", c.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(c.stdout+c.stderr, text) {
			t.Errorf("no %q in the output", text)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", c.stdout, c.stderr)
	}
}

// tree writes files and returns the folder that holds them.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// app writes a module with one main package.
func app(t *testing.T, body string) string {
	t.Helper()
	return tree(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": body})
}

// program makes a main package of imports and statements.
func program(imports, body string) string {
	var b strings.Builder
	b.WriteString("package main\n\n")
	for _, i := range strings.Fields(imports) {
		fmt.Fprintf(&b, "import %q\n", i)
	}
	return b.String() + "\nfunc main() {\n" + body + "\n}\n"
}

// root is the folder of our own module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
