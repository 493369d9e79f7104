package nvme

import "github.com/hardtack-os/hardtack/exo"

// SGLS, bytes 536 to 539 of Identify Controller (Base, 5.17.2.1).
const (
	sglsAt    = 536
	sglsKind  = 3      // what the NVM command set takes
	sglsBytes = 1      // of that: data blocks of any address and length
	sglsWords = 2      // of that: such as are multiples of 4
	sglsFew   = 8      // bits 8 to 15, the SGL descriptor threshold: how many descriptors a command had better have; 0: it does not say
	psdtSGL   = 1      // Base, 3.3.3.1: the data pointer is a scatter-gather list
	sglBlock  = 0 << 4 // Base, 4.1.2.1: the type of a descriptor, in its last byte
	sglLast   = 3 << 4

	maxBlocks = exo.PageSize / sglSize // of a list: one page
	sglSize   = 16
)

// A pointer is how a command says where its data are: Base, 3.3.3.1, PSDT and DPTR.
type pointer struct {
	psdt          uint8
	first, second uint64
}

// whole is what lies in one page, by PRPs, as admin commands have it.
func whole(at exo.Phys) pointer { return pointer{first: uint64(at)} }

// sgls takes in whether, and how, the controller takes scatter-gather lists. What it says that nobody has defined is no.
func (d *Disk) sgls(v uint32) {
	kind := v & sglsKind
	if d.sgl = kind == sglsBytes || kind == sglsWords; !d.sgl {
		return
	}
	d.few = int(v >> sglsFew & 0xff)
	d.info.Pages, d.info.Words, d.info.MaxRuns = false, kind == sglsWords, maxBlocks
}

// locate says where memory lies, which Check has found to be what the controller takes. list, at at, is a page for what does not fit into the command.
//
// A PRP says a page, a data block any length: what is not page-shaped needs a scatter-gather list. Else it is whichever the controller has less to fetch of, of 8 bytes a page and 16 a piece: nothing for two pages by PRPs, and for one piece by its data block.
func (d *Disk) locate(memory []exo.Run, list []byte, at exo.Phys) pointer {
	n, shaped := pagesOf(memory)
	if !shaped || n > 2 && d.sgl && lighter(len(memory), n) && (d.few == 0 || len(memory) <= d.few) {
		return sgl(memory, list, at)
	}
	return prps(memory, list, at)
}

// lighter says whether a list of so many pieces is less than that of their pages.
func lighter(pieces, pages int) bool { return pieces == 1 || pieces*sglSize <= (pages-1)*8 }

// pagesOf counts the pages of memory, and says whether PRPs can: whether pieces join at pages' borders, and the first begins at a multiple of 4 (Base, 4.1.1).
func pagesOf(memory []exo.Run) (n int, shaped bool) {
	shaped = memory[0].Base%4 == 0
	for i, m := range memory {
		end := m.Base + exo.Phys(m.Len)
		shaped = shaped && (i == 0 || m.Base%exo.PageSize == 0) && (i+1 == len(memory) || end%exo.PageSize == 0)
		n += int((end-1)/exo.PageSize - m.Base/exo.PageSize + 1)
	}
	return n, shaped
}

// prps describes memory by its pages (Base, 4.1.1): the first, and the second, or the list.
func prps(memory []exo.Run, list []byte, at exo.Phys) (p pointer) {
	n := 0
	for _, m := range memory {
		for page, end := m.Base, m.Base+exo.Phys(m.Len); page < end; page = page&^(exo.PageSize-1) + exo.PageSize {
			switch n {
			case 0:
				p.first = uint64(page)
			case 1:
				p.second = uint64(page)
				fallthrough
			default:
				le.PutUint64(list[8*(n-1):], uint64(page))
			}
			n++
		}
	}
	if n > 2 {
		p.second = uint64(at)
	}
	return p
}

// sgl describes memory by its pieces (Base, 4.1.2): one in the command, more in the list, which is the last segment.
func sgl(memory []exo.Run, list []byte, at exo.Phys) pointer {
	p := pointer{psdt: psdtSGL}
	if len(memory) == 1 {
		p.first, p.second = descriptor(memory[0].Base, memory[0].Len, sglBlock)
		return p
	}
	for i, m := range memory {
		first, second := descriptor(m.Base, m.Len, sglBlock)
		le.PutUint64(list[sglSize*i:], first)
		le.PutUint64(list[sglSize*i+8:], second)
	}
	p.first, p.second = descriptor(at, uintptr(len(memory)*sglSize), sglLast)
	return p
}

// descriptor is one of a scatter-gather list, as two words (Base, 4.1.2.1): address; length, 3 bytes of nothing, type.
func descriptor(at exo.Phys, n uintptr, kind uint64) (first, second uint64) {
	return uint64(at), uint64(n) | kind<<56
}
