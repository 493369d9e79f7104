package qemu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutbox feeds a control channel byte by byte: a record may arrive in parts.
func TestOutbox(t *testing.T) {
	channel := "missing mount\nfile create tmp\nfile data tmp 0 6\nhello\n\nfile data tmp 6 10\nexit 0\n123\n" +
		"file data tmp 0 1\nJ\nfile rename tmp a\nfile create b\nfile remove b\nfile create c\nfile data c 0 5\nabcde\nfile size c 2\nexit 5\n"
	box := &Outbox{Dir: t.TempDir()}
	var verbs []string
	var pending []byte
	for i := range len(channel) {
		pending = handleLines(append(pending, channel[i]), func(r record) {
			if r.verb != verbFile {
				verbs = append(verbs, r.verb+" "+r.rest)
			} else if err := box.apply(r); err != nil {
				t.Error(err)
			}
		})
	}
	if len(pending) > 0 || strings.Join(verbs, ",") != "missing mount,exit 5" {
		t.Errorf("%q left, records %q", pending, verbs)
	}
	for name, want := range map[string]string{"a": "Jello\nexit 0\n123", "c": "ab"} {
		if got, err := os.ReadFile(filepath.Join(box.Dir, name)); string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	if entries, _ := os.ReadDir(box.Dir); len(entries) != 2 {
		t.Error(entries)
	}
}

// TestOutboxStaysInItsFolder: an image may say anything.
func TestOutboxStaysInItsFolder(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "box")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(top, "kept"), []byte("kept"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, rest := range []string{
		"create ../x", "create ..", "create .", "create /etc/x", "create", "", "create a b", "remove ../kept", "size ../kept 0",
		"rename a ../x", "data ../kept 0 1", "data a 0", "data a x 1", "data a -5 1", "size a x", "size a -1", `create ..\x`, "create C:x", "nonsense a",
	} {
		if err := (&Outbox{Dir: dir}).apply(record{verb: verbFile, rest: rest, data: []byte("z")}); err == nil {
			t.Errorf("%q passes", rest)
		}
	}
	if entries, _ := os.ReadDir(top); len(entries) != 2 {
		t.Error(entries)
	}
	if data, _ := os.ReadFile(filepath.Join(top, "kept")); string(data) != "kept" {
		t.Errorf("%q", data)
	}
	var none *Outbox
	if err := none.apply(record{verb: verbFile, rest: "create ../x"}); err != nil {
		t.Error(err)
	}
}

// TestHugeDataRecord: what claims more than a record carries is a line like others, and nothing waits for its bytes.
func TestHugeDataRecord(t *testing.T) {
	for _, n := range []string{fmt.Sprint(maxData + 1), "-1", "99999999999999999999"} {
		ended := false
		left := handleLines([]byte("file data a 0 "+n+"\nexit 0\n"), func(r record) { ended = ended || r.verb == verbExit })
		if !ended || len(left) > 0 {
			t.Errorf("%s: %q left", n, left)
		}
	}
}
