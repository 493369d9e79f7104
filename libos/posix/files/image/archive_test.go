package image

import (
	"archive/zip"
	"bytes"
	"os"
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
