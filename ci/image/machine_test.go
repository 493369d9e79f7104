//go:build !hardtack

package image

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
	"github.com/hardtack-os/hardtack/internal/netns"
)

var (
	work string // folder for the tool and the images
	tool string // the built mkimage

	slots = make(chan struct{}, 2) // machines that may run at a time
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var err error
	if work, err = os.MkdirTemp("", "ci-image-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(work)
	tool = filepath.Join(work, "mkimage.exe")
	if out, err := exec.Command("go", "build", "-o", tool, "github.com/hardtack-os/hardtack/cmd/mkimage").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build mkimage: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// buildFlags are what guests are built with besides their package.
var buildFlags = map[string][]string{"balloon": {"--module", "libos/vm/balloon"}}

// images builds each guest once.
var images sync.Map // guest name -> func() (path string, err error)

// image returns the path of the image of a guest, or of one of the samples.
func image(t *testing.T, guest string) string {
	t.Helper()
	once, _ := images.LoadOrStore(guest, sync.OnceValues(func() (string, error) {
		path := filepath.Join(work, filepath.Base(guest)+".elf")
		pkg := "./guest/" + guest
		if strings.HasPrefix(guest, "samples/") {
			pkg = "../../" + guest
		}
		args := append([]string{"build", "-o", path}, buildFlags[guest]...)
		out, err := exec.Command(tool, append(args, pkg)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("cannot build %s: %w\n%s", guest, err, out)
		}
		return path, nil
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A machine is what a guest runs on; the zero value has one CPU and 128 MiB.
type machine struct {
	kind   string // QEMU's machine: microvm, where nothing is said, q35 or pc
	cpus   int
	memory string
	env    []string
	cpu    string           // QEMU's -cpu
	bare   bool             // no source of entropy among the devices
	more   []string         // arguments for QEMU
	words  string           // more of the command line
	apart  *netns.Namespace // where it runs; nil: with the host's network
	limit  time.Duration    // default bootLimit
}

// bootLimit is how long a guest may run: a machine that does not stop is an error. It is generous for a busy host.
const bootLimit = 5 * time.Minute

// A boot is one run of a guest.
type boot struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	console *bufio.Reader
	control string // file with the control records
	timer   *time.Timer
	seen    bytes.Buffer // what the console has said
	timeout bool
	release func() // lets the next machine run
}

// start boots a guest.
func start(t *testing.T, guest string, m machine, args ...string) *boot {
	t.Helper()
	path := image(t, guest)
	slots <- struct{}{}
	b := &boot{control: filepath.Join(t.TempDir(), "control"), release: sync.OnceFunc(func() { <-slots })}
	t.Cleanup(b.release)
	line := "ctl=0xe9 debugexit=0xf4"
	for _, a := range args {
		line += " arg=" + strconv.Quote(a)
	}
	if m.words != "" {
		line += " " + m.words
	}
	for _, e := range m.env {
		line += " env=" + strconv.Quote(e)
	}
	a := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu", or(m.cpu, "max"),
		"-M", or(m.kind, "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on"),
		"-m", or(m.memory, "128M"), "-smp", strconv.Itoa(max(m.cpus, 1)),
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-chardev", "file,id=control,path=" + b.control, "-device", "isa-debugcon,iobase=0xe9,chardev=control",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", path, "-append", line,
	}
	if !m.bare && m.kind == "" {
		a = append(a, "-device", "virtio-rng-device")
	} else if !m.bare {
		a = append(a, "-device", "virtio-rng-pci")
	}
	a = append(a, m.more...)
	b.cmd = exec.Command("qemu-system-x86_64", a...)
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.cmd.Stderr = os.Stderr
	if b.stdin, err = b.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if m.apart != nil {
		child.Tie(b.cmd) // to the namespace's thread
		err = m.apart.Do(b.cmd.Start)
	} else {
		err = child.Start(b.cmd)
	}
	if err != nil {
		t.Fatal("QEMU is needed (ci/install): ", err)
	}
	limit := m.limit
	if limit == 0 {
		limit = bootLimit
	}
	b.timer = time.AfterFunc(limit, func() {
		b.timeout = true
		b.cmd.Process.Kill()
	})
	t.Cleanup(func() { b.cmd.Process.Kill() })
	b.console = bufio.NewReader(io.TeeReader(out, &b.seen))
	return b
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// line waits for the console's next line.
func (b *boot) line(t *testing.T) string {
	t.Helper()
	s, err := b.console.ReadString('\n')
	if err != nil {
		t.Fatalf("the console ended: %v\n%s", err, b.seen.String())
	}
	return strings.TrimRight(s, "\r\n")
}

// A result is how a run ended.
type result struct {
	console string
	code    int    // -1: the machine stopped without one
	qemu    string // how QEMU ended: "signal: killed" is somebody else's doing
}

var exitRecord = regexp.MustCompile(`(?m)^exit (\d+)$`)

// wait waits for the end.
func (b *boot) wait(t *testing.T) result {
	t.Helper()
	io.Copy(io.Discard, b.console)
	b.cmd.Wait()
	b.timer.Stop()
	b.release()
	r := result{console: strings.ReplaceAll(b.seen.String(), "\r\n", "\n"), code: -1, qemu: b.cmd.ProcessState.String()}
	if b.timeout {
		t.Errorf("the machine did not stop in time")
	}
	records, err := os.ReadFile(b.control)
	if err != nil {
		t.Error(err)
	}
	if m := exitRecord.FindSubmatch(records); m != nil {
		r.code, _ = strconv.Atoi(string(m[1]))
	}
	return r
}

// run boots a guest and waits for its end.
func run(t *testing.T, guest string, m machine, args ...string) result {
	t.Helper()
	return start(t, guest, m, args...).wait(t)
}

// shown bounds how much of a console a failed test prints.
const shown = 6000

// want checks the exit code and that each text is on the console.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.console, text) {
			t.Errorf("no %q on the console", text)
		}
	}
	if t.Failed() {
		t.Logf("QEMU ended with %s; console:\n%s", r.qemu, r.console[:min(len(r.console), shown)])
	}
}

// number returns the integer that follows name= on the console.
func (r result) number(t *testing.T, name string) int64 {
	t.Helper()
	m := regexp.MustCompile(`\b` + name + `=(-?\d+)`).FindStringSubmatch(r.console)
	if m == nil {
		t.Fatalf("no %s on the console:\n%s", name, r.console[:min(len(r.console), shown)])
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
