package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
)

func TestRowsAreNamed(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range rows {
		if r.Name == "" || r.What == "" || r.Reach == "" || r.Measure == nil {
			t.Errorf("row %q lacks something: %+v", r.Name, r)
		}
		if seen[r.Name] {
			t.Errorf("two rows are named %q", r.Name)
		}
		seen[r.Name] = true
	}
}

func TestLine(t *testing.T) {
	r := Row{What: "w", Reach: "r"}
	same := func(s string) string { return s }
	broken := Figure{Err: errors.New("no QEMU")}
	for _, c := range []struct {
		f        Figures
		met      string
		complete bool
	}{
		{Figures{Ours: Figure{Text: "1"}, Met: true}, "yes", true},
		{Figures{Ours: Figure{Text: "1"}}, "no", true},
		{Figures{Ours: Figure{Text: "1"}, Unjudged: true}, "?", true},
		{Figures{Ours: broken, Met: true}, "?", false},
		{Figures{Ours: Figure{Text: "1"}, Linux: broken, Met: true}, "yes", false},
	} {
		l, complete := r.line(c.f, same)
		if l.Met != c.met || complete != c.complete {
			t.Errorf("%+v: met %q, complete %v", c.f, l.Met, complete)
		}
		if !complete && (len(l.Notes) != 1 || !strings.Contains(l.Notes[0], "no QEMU")) {
			t.Errorf("%+v: the notes %q do not say why", c.f, l.Notes)
		}
	}
}

func TestSideLeftOut(t *testing.T) {
	if f := (Side[int]{Left: true}).figure(nil); f.Err != nil || f.Text != "left out" {
		t.Errorf("got %+v", f)
	}
}

func TestCleanHidesFolders(t *testing.T) {
	b := &Bench{Root: "/src/tree", work: "/scratch/x1", cache: "/var/c"}
	got := b.clean("cannot read /scratch/x1/a, /src/tree/b, /var/c/d: " + strings.Repeat("e", 1000))
	if !strings.HasPrefix(got, "cannot read WORK/a, ./b, CACHE/d: e") || len(got) > 450 {
		t.Errorf("got %q", got)
	}
}

func TestImageExitCode(t *testing.T) {
	for status, want := range map[int]int{1: 0, 5: 2, 255: 127} {
		if got, err := imageExitCode(status, nil); err != nil || got != want {
			t.Errorf("status %d: code %d, %v", status, got, err)
		}
	}
	// QEMU itself ends with 0 when the guest powers off or resets: that is no exit code.
	if _, err := imageExitCode(0, []qemu.Line{{Text: "last"}}); err == nil || !strings.Contains(err.Error(), "last") {
		t.Errorf("error %v", err)
	}
}

// TestGuestPrograms runs the programs that end by themselves natively: they must report what their rows look for.
func TestGuestPrograms(t *testing.T) {
	for name, want := range map[string]string{"pipehttp": "RESULT served 200 requests"} {
		program := filepath.Join(t.TempDir(), name)
		if out, err := exec.Command("go", "build", "-o", program, "./guest/"+name).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		out, err := exec.Command(program).Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s prints %q, error %v; want %q", name, out, err, want)
		}
	}
}

func TestCommandSaysWhatFailed(t *testing.T) {
	_, err := command(context.Background(), os.TempDir(), nil, "go", "no-such-command")
	if err == nil || !strings.Contains(err.Error(), "go no-such-command") || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("error %v", err)
	}
}
