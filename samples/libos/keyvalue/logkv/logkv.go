// Package logkv is a filesystem of one's own: keys and values on a disk, in a log. It is one folder of files, without folders or links in it, and shows how little
// a module of libos/fs must have.
//
// The device has two halves, of which one is in use. A half begins with a header block: "logkv002", its epoch, the length of a half in bytes (8 each), and the CRC-32C of these 24. The halves stay
// as long as they were made, on a device that has grown since, too. Behind the header stand
// records, each at the beginning of a block: the header's epoch, the length of the body (8 bytes each), a CRC-32C, and the body, which is
// entries one after the other. The sum is of those 16 bytes and the body, and goes on from that of the record or header before, so nothing that an earlier log left behind is
// taken for its end. Numbers are little-endian. An entry is
//
//	mode (4), length of the key (4), length of the value (8), mtime in nanoseconds (8), key, value
//
// and, with mode 0, says that the key is gone. The log ends at the first block that begins no whole record of the epoch. fsync appends one record of all that has changed:
// what is there after a crash is what was there at some fsync. A log that has no room is written anew, without what is not valid any more, to the other half,
// whose header comes last.
package logkv

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

const (
	magic     = "logkv002"
	headLen   = 24 // without its sum
	recordLen = 20
	entryLen  = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// FS is a mounted filesystem. It is its own root folder.
type FS struct {
	dev      block.Device
	bs       int64 // block size
	half     int64 // bytes, whole blocks
	readOnly bool  // nobody asks for anything to be written then

	mu      sync.RWMutex
	files   map[string]*file
	changed map[string]bool // keys of which the log says something else
	live    int64           // bytes of all entries
	epoch   uint64          // its half is epoch&1
	end     int64           // of the log, in that half
	sum     uint32          // of its last record, or its header
	lastIno uint64
	mtime   time.Time // of the folder
	failed  bool      // a write has failed: nobody knows what the log holds
}

// A file is a value. Those without a key live as long as somebody has them.
type file struct {
	fs    *FS
	ino   uint64
	key   string // "" when it is gone
	mode  uint32
	mtime time.Time
	data  []byte
}

// ErrBlank is what Mount gives for a device that holds nothing at all: its first MiB, and where logkv has a header behind that, are zeroes.
var ErrBlank = errors.New("logkv: the device holds nothing")

// Format makes an empty filesystem, whatever the device holds. Its epoch is none that a log on the device has had, whose records would be taken for the new one's.
func Format(dev block.Device) error {
	f := newFS(dev)
	half := f.half
	if err := f.newest(); err != nil {
		return err
	}
	f.half = half
	b := make([]byte, f.bs)
	if err := dev.Write([][]byte{b}, f.half); err != nil { // no epoch
		return err
	}
	f.epoch = (f.epoch + 2) &^ 1
	return f.header()
}

// newest finds the newer header, and how long halves are, which the first one says; epoch 0 says that there is none. Where the first one is damaged, they are taken to be the device's.
func (f *FS) newest() error {
	damaged := func(what string) error {
		return errors.New("logkv: " + f.dev.Info().Name + ": the " + what + " is damaged")
	}
	b := make([]byte, f.bs)
	for h := range int64(2) {
		if err := f.dev.Read([][]byte{b}, h*f.half); err != nil {
			return err
		}
		epoch, half, sum := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint32(b[headLen:])
		if string(b[:8]) != magic || crc32.Checksum(b[:headLen], castagnoli) != sum || int64(epoch&1) != h {
			continue
		}
		switch {
		case epoch > math.MaxUint64-2:
			return damaged("epoch")
		case h == 0 && half > uint64(f.half):
			return errors.New("logkv: " + f.dev.Info().Name + " is shorter than the log that it holds")
		case h == 0 && (half < uint64(f.bs) || half%uint64(f.bs) != 0):
			return damaged("length")
		case h == 0:
			f.half = int64(half)
		case half != uint64(f.half):
			continue // left by one that had halves of other lengths
		}
		if epoch > f.epoch {
			f.epoch, f.sum = epoch, sum
		}
	}
	return nil
}

// blank reports whether the device holds nothing.
func (f *FS) blank() (bool, error) {
	for at, n := range map[int64]int64{0: min(2*f.half, 1<<20), f.half: f.bs} {
		b := make([]byte, n/f.bs*f.bs)
		if err := f.dev.Read([][]byte{b}, at); err != nil {
			return false, err
		}
		if len(bytes.TrimLeft(b, "\x00")) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// Mount reads the log. ErrBlank says that there is none, and nothing else either.
func Mount(dev block.Device) (*FS, error) {
	f := newFS(dev)
	if err := f.newest(); err != nil {
		return nil, err
	}
	if f.epoch == 0 {
		if blank, err := f.blank(); err != nil || blank {
			return nil, cmp.Or(err, ErrBlank)
		}
		return nil, errors.New("logkv: " + dev.Info().Name + " holds no log, and something else")
	}
	log := make([]byte, f.half)
	if err := dev.Read([][]byte{log}, int64(f.epoch&1)*f.half); err != nil {
		return nil, err
	}
	for f.end = f.bs; f.end < f.half; {
		body, ok := f.record(log[f.end:])
		if !ok {
			break
		}
		if !f.replay(body) {
			return nil, errors.New("logkv: " + dev.Info().Name + ": a whole record holds what nobody writes")
		}
		f.end += f.blocks(recordLen + int64(len(body)))
	}
	return f, nil
}

func newFS(dev block.Device) *FS {
	in := dev.Info()
	bs := int64(in.BlockSize)
	return &FS{dev: dev, bs: bs, half: in.Size / bs / 2 * bs, files: map[string]*file{}, changed: map[string]bool{}, lastIno: 2, mtime: time.Now()}
}

// blocks is n bytes in whole blocks.
func (f *FS) blocks(n int64) int64 { return (n + f.bs - 1) / f.bs * f.bs }

// record is the body of the record at the beginning of b.
func (f *FS) record(b []byte) ([]byte, bool) {
	n := binary.LittleEndian.Uint64(b[8:])
	if binary.LittleEndian.Uint64(b) != f.epoch || n > uint64(len(b)-recordLen) {
		return nil, false
	}
	body := b[recordLen : recordLen+n]
	sum := crc32.Update(crc32.Update(f.sum, castagnoli, b[:16]), castagnoli, body)
	if sum != binary.LittleEndian.Uint32(b[16:]) {
		return nil, false
	}
	f.sum = sum
	return body, true
}

// replay does what a body says. It is whole: only a mistake of who wrote it makes it false.
func (f *FS) replay(body []byte) bool {
	for len(body) > 0 {
		if len(body) < entryLen {
			return false
		}
		mode, k, v := binary.LittleEndian.Uint32(body), uint64(binary.LittleEndian.Uint32(body[4:])), binary.LittleEndian.Uint64(body[8:])
		at := int64(binary.LittleEndian.Uint64(body[16:]))
		body = body[entryLen:]
		if k > uint64(len(body)) || v > uint64(len(body))-k {
			return false
		}
		key := string(body[:k])
		if mode != 0 && mode&syscall.S_IFMT != syscall.S_IFREG || key == "" || key == "." || key == ".." || len(key) > fs.MaxName || strings.ContainsAny(key, "/\x00") {
			return false
		}
		f.remove(key)
		if mode != 0 {
			x := f.add(key, mode)
			x.data, x.mtime = slices.Clone(body[k:k+v]), time.Unix(0, at)
			f.live += int64(v)
		}
		body = body[k+v:]
	}
	clear(f.changed)
	return true
}

// add makes a key, and remove removes it, if it is there.
func (f *FS) add(key string, mode uint32) *file {
	f.lastIno++
	x := &file{fs: f, ino: f.lastIno, key: key, mode: mode, mtime: time.Now()}
	f.files[key], f.changed[key], f.mtime = x, true, x.mtime
	f.live += entryLen + int64(len(key))
	return x
}

func (f *FS) remove(key string) {
	if x := f.files[key]; x != nil {
		f.live -= entryLen + int64(len(key)+len(x.data))
		x.key = ""
		delete(f.files, key)
		f.changed[key], f.mtime = true, time.Now()
	}
}

// room says whether n bytes more than now can be written anew in one record. mu is held.
func (f *FS) room(n int64) bool {
	return f.bs+f.blocks(recordLen+f.live+n) <= f.half
}

// entries are those of keys.
func (f *FS) entries(keys []string) (body []byte) {
	for _, k := range keys {
		x := f.files[k]
		if x == nil {
			x = &file{}
		}
		body = binary.LittleEndian.AppendUint32(body, x.mode)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(k)))
		body = binary.LittleEndian.AppendUint64(body, uint64(len(x.data)))
		body = binary.LittleEndian.AppendUint64(body, uint64(x.mtime.UnixNano()))
		body = append(append(body, k...), x.data...)
	}
	return body
}

// head is the header of the epoch's half.
func (f *FS) head() []byte {
	b := make([]byte, f.bs)
	copy(b, magic)
	binary.LittleEndian.PutUint64(b[8:], f.epoch)
	binary.LittleEndian.PutUint64(b[16:], uint64(f.half))
	binary.LittleEndian.PutUint32(b[headLen:], crc32.Checksum(b[:headLen], castagnoli))
	return b
}

// header writes it, and makes all durable.
func (f *FS) header() error {
	b := f.head()
	if err := f.dev.Write([][]byte{b}, int64(f.epoch&1)*f.half); err != nil {
		return err
	}
	return f.dev.Flush()
}

// put appends a record.
func (f *FS) put(body []byte) error {
	b := make([]byte, f.blocks(recordLen+int64(len(body))))
	binary.LittleEndian.PutUint64(b, f.epoch)
	binary.LittleEndian.PutUint64(b[8:], uint64(len(body)))
	copy(b[recordLen:], body)
	f.sum = crc32.Update(crc32.Update(f.sum, castagnoli, b[:16]), castagnoli, body)
	binary.LittleEndian.PutUint32(b[16:], f.sum)
	if err := f.dev.Write([][]byte{b}, int64(f.epoch&1)*f.half+f.end); err != nil {
		return err
	}
	f.end += int64(len(b))
	return f.dev.Flush()
}

// Sync makes what has changed durable, in one step.
func (f *FS) Sync() fs.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		return syscall.EIO
	}
	if len(f.changed) == 0 {
		return 0
	}
	keys := func(m map[string]bool) (k []string) {
		for key := range m {
			k = append(k, key)
		}
		return k
	}
	body := f.entries(keys(f.changed))
	var err error
	if f.end+f.blocks(recordLen+int64(len(body))) <= f.half {
		err = f.put(body)
	} else {
		all := map[string]bool{}
		for k := range f.files {
			all[k] = true
		}
		f.epoch, f.end = f.epoch+1, f.bs
		f.sum = binary.LittleEndian.Uint32(f.head()[headLen:])
		if err = f.put(f.entries(keys(all))); err == nil {
			err = f.header()
		}
	}
	if err != nil {
		f.failed = true
		return syscall.EIO
	}
	clear(f.changed)
	return 0
}

// Close makes all durable. The device stays open.
func (f *FS) Close() error {
	if e := f.Sync(); e != 0 {
		return e
	}
	return nil
}

// Root implements fs.FileSystem.
func (f *FS) Root() fs.Dir { return f }

// Statfs implements fs.FileSystem.
func (f *FS) Statfs(s *fs.Statfs) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	*s = fs.Statfs{BlockSize: f.bs, Blocks: uint64(f.half / f.bs), Free: uint64(max(0, f.half-f.bs-f.blocks(recordLen+f.live)) / f.bs), ReadOnly: f.readOnly, DontExport: true}
}
