package block

import (
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// ErrInUse is what opening a file gives that a virtual machine, somebody else of ours, or the host uses.
var ErrInUse = errors.New("it is in use, by a virtual machine, by another command, or mounted")

// HostFile is a device that is a file of the host, or a disk of it.
type HostFile struct {
	f     *os.File
	info  Info
	using sync.RWMutex // held to be read while f is read or written, to be written by who closes it
}

// What opening gives that cannot be a disk.
var (
	ErrFolder = errors.New("it is a folder, not a disk or a file that holds one")
	ErrNoDisk = errors.New("it is neither a disk nor a file that could hold one")
)

// OpenFile opens a file as a device, until Close for nobody else: one that a virtual machine uses is refused, and on Linux, to be written to, a disk that the host has mounted, or uses
// otherwise. A size that is not a multiple of 512 is rounded down. Files of fewer bytes, folders, pipes and the host's other devices are refused.
func OpenFile(name string, readOnly bool) (*HostFile, error) {
	mode := os.O_RDWR
	if readOnly {
		mode = os.O_RDONLY
	}
	if info, err := os.Stat(name); err == nil {
		switch kind := info.Mode().Type(); {
		case kind == os.ModeDir:
			return nil, &os.PathError{Op: "open", Path: name, Err: ErrFolder}
		case kind == os.ModeDevice && !readOnly:
			mode |= os.O_EXCL // open(2): EBUSY for a block device in use
		case kind != 0 && kind != os.ModeDevice:
			return nil, &os.PathError{Op: "open", Path: name, Err: ErrNoDisk}
		}
	}
	f, err := os.OpenFile(name, mode, 0)
	if errors.Is(err, syscall.EBUSY) {
		return nil, &os.PathError{Op: "open", Path: name, Err: ErrInUse}
	}
	if err != nil {
		return nil, err
	}
	if err := lock(f, !readOnly); err != nil {
		f.Close()
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd) // what a disk's Stat does not tell
	if err != nil {
		f.Close()
		return nil, err
	}
	if size > 0 && size < 512 {
		f.Close()
		return nil, &os.PathError{Op: "open", Path: name, Err: errors.New("it has " + strconv.FormatInt(size, 10) + " bytes, and a disk at least 512")}
	}
	return &HostFile{f: f, info: Info{Name: name, ID: name, Size: size &^ 511, BlockSize: 512, ReadOnly: readOnly, Discard: punches}}, nil
}

// File is the file itself, which Close closes.
func (h *HostFile) File() *os.File { return h.f }

// Info implements Device.
func (h *HostFile) Info() Info { return h.info }

// Read implements Device.
func (h *HostFile) Read(vec [][]byte, off int64) error {
	if err := h.info.Check(off, Len(vec)); err != nil {
		return err
	}
	h.using.RLock()
	defer h.using.RUnlock()
	for _, b := range vec {
		n, err := h.f.ReadAt(b, off)
		if n < len(b) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF // it was made shorter
			}
			return err
		}
		off += int64(n)
	}
	return nil
}

// Write implements Device.
func (h *HostFile) Write(vec [][]byte, off int64) error {
	if err := h.info.Check(off, Len(vec)); err != nil {
		return err
	}
	if h.info.ReadOnly {
		return ErrReadOnly
	}
	h.using.RLock()
	defer h.using.RUnlock()
	for _, b := range vec {
		if _, err := h.f.WriteAt(b, off); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

// Flush implements Device.
func (h *HostFile) Flush() error {
	h.using.RLock()
	defer h.using.RUnlock()
	return h.f.Sync()
}

// Discard implements Device: the file gets a hole.
func (h *HostFile) Discard(off, n int64) error {
	if err := h.info.Check(off, n); err != nil || h.info.ReadOnly {
		return err
	}
	h.using.RLock()
	defer h.using.RUnlock()
	return punch(h.f, off, n)
}

// Close implements Device. It waits for reads and writes that are under way: the lock goes when they have ended.
func (h *HostFile) Close() error {
	h.using.Lock()
	defer h.using.Unlock()
	if !h.info.ReadOnly {
		unlock(h.f) // closing it would not, while a process that was started meanwhile has not begun to run its program
	}
	return h.f.Close()
}
