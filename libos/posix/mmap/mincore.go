package mmap

import (
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

const userEnd = 1<<47 - exo.PageSize

// mincore is mincore(2): of a mapping of a file, which pages the mapping, or the file's page cache, has; of other memory, which were touched.
func mincore(at, n, vec uintptr) syscall.Errno {
	count := n/exo.PageSize + min(n%exo.PageSize, 1)
	if at%exo.PageSize != 0 {
		return syscall.EINVAL
	}
	if at > userEnd || n > userEnd-at {
		return syscall.ENOMEM
	}
	out, e := user.Bytes(vec, count)
	if e != 0 || uintptr(len(out)) != count {
		return syscall.EFAULT
	}
	var there [1024]byte
	for len(out) > 0 {
		b := there[:min(len(out), len(there))]
		if e := resident(at, b); e != 0 {
			return e
		}
		if transfer(b, out[:len(b)], true) != len(b) {
			return syscall.EFAULT
		}
		at, out = at+uintptr(len(b))*exo.PageSize, out[len(b):]
	}
	return 0
}

// resident says of the pages from an address on whether each is there, by 1 or 0.
func resident(at uintptr, b []byte) syscall.Errno {
	var words [16]uint64 // a bit for each of there's
	for len(b) > 0 {
		k := 0
		if list := within(at, 1); len(list) > 0 {
			if k = list[0].resident(at, b); k == 0 {
				return syscall.ENOMEM
			}
		} else {
			end := len(b)
			for _, v := range within(at, uintptr(end)*exo.PageSize) {
				end = min(end, int((v.lo-at)/exo.PageSize))
			}
			if k = exo.Resident(at, end, words[:]); k == 0 {
				return syscall.ENOMEM
			}
			for i := range k {
				b[i] = byte(words[i/64] >> (i % 64) & 1)
			}
		}
		at, b = at+uintptr(k)*exo.PageSize, b[k:]
	}
	return 0
}

// resident is that of a view's pages: as many as are mapped in a row.
func (v *view) resident(at uintptr, b []byte) (k int) {
	v.o.mu.Lock()
	defer v.o.mu.Unlock()
	if v.closed {
		return 0
	}
	for first := int((at - v.lo) / exo.PageSize); k < len(b) && first+k < v.n(); k++ {
		if _, mapped := v.at(first + k); !mapped {
			break
		}
		b[k] = 0
		if v.own[first+k] != nil || v.o.has(v.first+int64(first+k)) {
			b[k] = 1
		}
	}
	return k
}

// has says whether a page of the file is in memory, mapped or not. mu is held.
func (o *object) has(i int64) bool {
	if o.pages[i] != nil {
		return true
	}
	if i >= pagesOf(o.size.Load()) {
		return false
	}
	if c, ok := o.raw.(pages.Cacher); ok {
		return c.Cached(i * exo.PageSize)
	}
	_, memory := o.raw.(fs.Lender) // whose only copy is there
	return memory && !o.hole(i)
}
