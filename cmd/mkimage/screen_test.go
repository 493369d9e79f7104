package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// A picture is QEMU's screen.
type picture struct {
	w, h int
	lit  []bool // a pixel that is not black
}

// readPPM reads a picture as QEMU writes it (netpbm, ppm(5), type P6).
func readPPM(b []byte) (p picture, err error) {
	depth := 0
	if _, err := fmt.Sscanf(string(b[:min(len(b), 64)]), "P6\n%d %d\n%d\n", &p.w, &p.h, &depth); err != nil {
		return p, err
	}
	n := 3 * p.w * p.h
	if len(b) < n || depth != 255 {
		return p, fmt.Errorf("%d bytes for %d times %d pixels", len(b), p.w, p.h)
	}
	for b = b[len(b)-n:]; len(b) > 0; b = b[3:] {
		p.lit = append(p.lit, b[0]|b[1]|b[2] != 0)
	}
	return p, nil
}

// cell is the picture of a letter.
func (p picture) cell(x, y, w, h int) string {
	var b strings.Builder
	for row := range h {
		for col := range w {
			if p.lit[(y*h+row)*p.w+x*w+col] {
				b.WriteByte('#')
			} else {
				b.WriteByte('.')
			}
		}
	}
	return b.String()
}

const (
	firstLetter = '!'
	lastLetter  = '~'
)

// letters is a line that shows all of them, in order; what they look like is learned from it.
func letters() string {
	var b strings.Builder
	for c := byte(firstLetter); c <= lastLetter; c++ {
		b.WriteByte(c)
	}
	return b.String()
}

// read gives the lines of a screen of cells of w by h pixels. The line of letters, which is as wide as it needs to be, is looked for: 94 cells in a row, in reading order, no two of which look the same.
func (p picture) read(w, h int) (lines []string, ok bool) {
	cols, rows := p.w/w, p.h/h
	var cells []string
	for y := range rows {
		for x := range cols {
			cells = append(cells, p.cell(x, y, w, h))
		}
	}
	blank := strings.Repeat(".", w*h)
	for y := range rows {
		known := map[string]byte{blank: ' '}
		for i := range int(lastLetter - firstLetter + 1) {
			if at := y*cols + i; at < len(cells) && known[cells[at]] == 0 {
				known[cells[at]] = byte(firstLetter + i)
			}
		}
		if len(known) != lastLetter-firstLetter+2 {
			continue
		}
		for y := range rows {
			var line []byte
			for x := range cols {
				c := known[cells[y*cols+x]]
				if c == 0 {
					c = 0xff
				}
				line = append(line, c)
			}
			lines = append(lines, strings.TrimRight(string(line), " "))
		}
		return lines, true
	}
	return nil, false
}

// qmp speaks with QEMU (docs/interop/qmp-spec.txt).
type qmp struct {
	net.Conn
	r *bufio.Reader
}

func (q *qmp) do(command string, arguments map[string]any) error {
	if arguments == nil {
		arguments = map[string]any{}
	}
	b, err := json.Marshal(map[string]any{"execute": command, "arguments": arguments})
	if err == nil {
		_, err = q.Write(b)
	}
	for err == nil {
		var line []byte
		if line, err = q.r.ReadBytes('\n'); err != nil {
			break
		}
		var answer struct{ Return, Error, Event json.RawMessage }
		switch err = json.Unmarshal(line, &answer); {
		case answer.Error != nil:
			return fmt.Errorf("%s: %s", command, answer.Error)
		case answer.Return != nil:
			return nil
		}
	}
	return err
}

// said is what was on a console up to now.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// screen boots a machine and returns what is on its screen once the last line is there, and what was on its console. Without one it is what is there when the console says "the end".
func screen(t *testing.T, m pc, w, h int, last string, args ...string) (lines []string, console string) {
	t.Helper()
	dir := t.TempDir()
	socket, dump := filepath.Join(dir, "qmp"), filepath.Join(dir, "screen.ppm")
	base := []string{"-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-vga", "std", "-qmp", "unix:" + socket + ",server=on,wait=off"}
	if m.uefi {
		vars := filepath.Join(dir, "vars.fd")
		data, err := os.ReadFile("/usr/share/OVMF/OVMF_VARS_4M.fd")
		if err == nil {
			err = os.WriteFile(vars, data, 0o666)
		}
		if err != nil {
			t.Fatalf("%v (ci/install installs it)", err)
		}
		base = append(base, "-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd", "-drive", "if=pflash,format=raw,file="+vars)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append(base, args...)...)
	var out said
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, 5*time.Second
	if err := child.Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		cmd.Wait()
		console = out.String()
	}()
	var q *qmp
	for ctx.Err() == nil {
		if c, err := net.Dial("unix", socket); err == nil {
			defer c.Close()
			q = &qmp{c, bufio.NewReader(c)}
			q.r.ReadString('\n') // the greeting
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if q == nil {
		t.Fatal("QEMU has no QMP")
	}
	if err := q.do("qmp_capabilities", nil); err != nil {
		t.Fatal(err)
	}
	var p picture
	seen := false // a picture may be of two moments: the one after it is what counts
	for ctx.Err() == nil {
		err := q.do("screendump", map[string]any{"filename": dump})
		var data []byte
		if err == nil {
			data, err = os.ReadFile(dump)
		}
		if err == nil {
			p, err = readPPM(data)
		}
		if err != nil {
			t.Fatal(err)
		}
		if l, ok := p.read(w, h); ok {
			for _, line := range l {
				if line == last && seen {
					return l, ""
				}
				seen = seen || line == last
			}
			lines = l
		}
		if last == "" && strings.Contains(out.String(), "the end") {
			if seen {
				return lines, ""
			}
			seen = true
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%q is not on the screen of %d times %d pixels: %q", last, p.w, p.h, lines)
	return nil, ""
}

// TestScreen reads the console off the picture of a screen: by a BIOS VGA's text mode, by UEFI the frame buffer; beside a serial line and without one. The program fills
// the screen more than once, from several goroutines and from print at once, and empties it by one write.
func TestScreen(t *testing.T) {
	dir := app(t, program("fmt strings sync time", fmt.Sprintf(`
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 40 {
				fmt.Println("goroutine", i, "line", j)
				println("print of", i, "line", j)
			}
		})
	}
	all.Wait()
	fmt.Print(strings.Repeat("\n", 100), "line 58\nline 59\n")
	fmt.Println("a\tb\rA\nwrong\b\b\b\b\bright\nnot ASCII: é")
	fmt.Println(%q)
	println("of print")
	defer time.Sleep(time.Hour)
	fmt.Println("the end")`, letters())))
	image := filepath.Join(dir, "x.img")
	c := call{dir: dir}
	c.mkimage(t, "build", "-o", image)
	if c.want(t, 0); t.Failed() {
		return
	}
	for _, m := range []struct {
		name   string
		uefi   bool
		serial bool
		w, h   int // of a letter: VGA's are 9 wide in the picture
		cols   int
	}{{"BIOS", false, true, 9, 16, 80}, {"BIOS without a serial line", false, false, 9, 16, 80}, {"UEFI", true, true, 8, 16, 160}, {"UEFI without a serial line", true, false, 8, 16, 160}} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"-smp", "2", "-drive", "snapshot=on,format=raw,file=" + image}
			if m.serial {
				args = append(args, "-serial", "stdio")
			}
			lines, console := screen(t, pc{uefi: m.uefi}, m.w, m.h, "the end", args...)
			want := []string{"", "", "", "", "", "", "", "", "line 58", "line 59", "A       b", "right", "not ASCII: ?"}
			for l := letters(); l != ""; l = l[min(len(l), m.cols):] {
				want = append(want, l[:min(len(l), m.cols)])
			}
			want = append(want, "of print", "the end")
			if got := strings.Join(lines, "\n"); !strings.Contains(got, strings.Join(want, "\n")) {
				t.Errorf("the screen shows:\n%s", got)
			}
			if m.serial != strings.Contains(console, "the end") {
				t.Errorf("the serial line says: %q", console)
			}
		})
	}
	t.Run("off", func(t *testing.T) { // by the command line of who loads it
		t.Parallel()
		kernel := filepath.Join(t.TempDir(), "x.bzimage")
		c := call{dir: dir}
		c.mkimage(t, "build", "-o", kernel)
		if c.want(t, 0); t.Failed() {
			return
		}
		if lines, _ := screen(t, pc{}, 9, 16, "", "-serial", "stdio", "-kernel", kernel, "-append", "screen=off"); lines != nil {
			t.Errorf("the screen shows: %q", lines)
		}
		if lines, _ := screen(t, pc{}, 9, 16, "the end", "-serial", "stdio", "-kernel", kernel); lines == nil {
			t.Error("the screen shows nothing")
		}
	})
}
