package image

import (
	"archive/zip"
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestEmptyArchive: the archive in the tree is what archive/zip writes for no files, byte for byte.
func TestEmptyArchive(t *testing.T) {
	var want bytes.Buffer
	if err := zip.NewWriter(&want).Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("files.zip")
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("files.zip: %x, %v; want %x", got, err, want.Bytes())
	}
}

// TestDamagedArchive: whatever is in the archive, no panic; what is no archive is an error.
func TestDamagedArchive(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.CreateHeader(&zip.FileHeader{Name: "a", Method: zip.Store})
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("contents"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if s, err := open(text); err != nil || string(s.Bytes("a")) != "contents" {
		t.Error(err)
	}
	for _, text := range []string{"", text[:len(text)-1], strings.Repeat("x", 100)} {
		if _, err := open(text); err == nil {
			t.Errorf("%q is an archive", text)
		}
	}
	for i := range text {
		for _, v := range []byte{0, 0x7f, 0xff} {
			if s, err := open(text[:i] + string([]byte{v}) + text[i+1:]); err == nil {
				s.Bytes("a")
			}
		}
	}
}
