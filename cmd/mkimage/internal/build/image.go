package build

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hardtack-os/hardtack/boot/amd64"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/internal/cache"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// headBytes is how much of a file is read to learn what it was made from:
// more than the headers, notes and boot segment of an image take.
const headBytes = 128 << 10

// A Recipe is what an image is made from, besides the program.
type Recipe struct {
	Memory  config.Size // of the machine; 0 if it is not known
	Cmdline string
	Format  format.Format   // zero: the image itself
	Time    time.Time       // what files in the image are dated; zero is 1980
	Slot    string          // of a disk that has slots
	Data    int64           // bytes of a disk's data partition
	DataID  [16]byte        // and its unique GUID, if it is new
	Files   []byte          // of a disk's partition for files; nil: there is none
	FilesID [16]byte        // and its unique GUID
	Force   bool            // the output may be a block device
	Record  elfimage.Record // Key and Groups are filled in by Write
}

// Write makes the image of the program at elf, unless output is that image
// already. It reports whether it wrote. To the null device nothing is written:
// the image is only tried.
func (r Recipe) Write(elf, output string) (wrote bool, err error) {
	key, err := r.key(elf)
	if err != nil {
		return false, err
	}
	if img := current(output, key); img != nil && r.plain() {
		return false, CheckFits(output, img, r.Memory)
	}
	in, err := os.ReadFile(elf)
	if err != nil {
		return false, err
	}
	if err := r.check(elf, in); err != nil {
		return false, err
	}
	rec := r.Record
	rec.Key = key
	// Sizes are for information: an image without them is as good.
	rec.Groups, _ = elfimage.Measure(in)
	out, err := elfimage.Build(in, elfimage.Options{Boot: amd64.Entry, Cmdline: r.Cmdline, Record: &rec})
	if err != nil {
		return false, fmt.Errorf("%s cannot be made an image: %w", filepath.Base(elf), err)
	}
	return r.output(output, format.Source{ELF: out, Name: filepath.Base(elf), Time: r.Time, Slot: r.Slot, Data: r.Data, DataID: r.DataID, Files: r.Files, FilesID: r.FilesID})
}

// plain reports whether the image is written as it is.
func (r Recipe) plain() bool { return r.Format.Name == "" || r.Format.Name == format.Formats[0].Name }

// check refuses a program that would not start in its machine.
func (r Recipe) check(elf string, in []byte) error {
	if err := checkEntry(in); err != nil {
		return err
	}
	end, err := elfimage.LoadEnd(in)
	if err != nil {
		return fmt.Errorf("%s cannot be made an image: %w", filepath.Base(elf), err)
	}
	return checkFits(elf, end, r.Memory)
}

// key names everything that goes into the image.
func (r Recipe) key(elf string) (string, error) {
	head, size, err := readHead(elf)
	if err != nil {
		return "", err
	}
	h := cache.NewHash("image")
	if id := elfimage.BuildID(head); id != "" {
		h.Add("id", id, fmt.Sprint(size))
	} else {
		all, err := os.ReadFile(elf)
		if err != nil {
			return "", err
		}
		h.AddBytes(all)
	}
	h.AddBytes(amd64.Entry)
	rec, err := json.Marshal(r.Record)
	if err != nil {
		return "", err
	}
	h.AddBytes(rec)
	h.Add(r.Cmdline)
	return h.Name(), nil
}

// current returns the file as an image if it is whole and has the key, else nil.
func current(name, key string) *elfimage.Image {
	head, size, err := readHead(name)
	if err != nil {
		return nil
	}
	img, err := elfimage.ReadHead(head)
	if err != nil || img.Record == nil || img.Record.Key != key || img.Size != uint64(size) {
		return nil
	}
	return img
}

// readHead returns the beginning of a file, and its size.
func readHead(name string) ([]byte, int64, error) {
	info, err := os.Stat(name) // before Open, which may wait for a pipe's other end
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	var head bytes.Buffer
	if _, err := io.Copy(&head, io.LimitReader(f, headBytes)); err != nil {
		return nil, 0, err
	}
	return head.Bytes(), info.Size(), nil
}

// entrySymbol is where the entry code jumps.
const entrySymbol = "_exo_start"

// checkEntry refuses a program that starts at another function. A program whose
// function table cannot be read passes: elfimage checks the rest.
func checkEntry(in []byte) error {
	name, err := elfimage.EntrySymbol(in)
	if err != nil || name == entrySymbol {
		return nil
	}
	return fmt.Errorf("the program starts at %s, not at %s: the runtime's added files are not in it, or -ldflags has a -E of its own", name, entrySymbol)
}

// CheckFits refuses an image that reaches beyond the machine's memory; 0 is a
// machine that nobody knows.
func CheckFits(name string, img *elfimage.Image, memory config.Size) error {
	return checkFits(name, img.LoadEnd(), memory)
}

func checkFits(name string, end uint64, memory config.Size) error {
	if memory == 0 || end <= uint64(memory) {
		return nil
	}
	return fmt.Errorf("the image is larger than the memory: %s reaches up to %d KiB, the machine has %d KiB; use --memory %dM or more",
		filepath.Base(name), end>>10, memory>>10, (end>>20)+3)
}
