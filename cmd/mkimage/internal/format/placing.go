package format

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// A placing is where boot/amd64/place.S puts an image.
type placing struct {
	first uint64 // where the file is moved to: below last by its length
	last  uint64 // end of the last segment, as loaded
}

// place refuses an image that boot/amd64/place.S would damage. That moves the file to end where its last segment will
// end, and then brings each segment down, the first one first: none may go up, or reach into what the next is read from.
// elfimage.Build writes no others.
func place(image []byte) (p placing, err error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return p, err
	}
	var loads []elf.ProgHeader
	end := uint64(0)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			loads = append(loads, p.ProgHeader)
			end = max(end, align(p.Paddr+p.Filesz, 16))
		}
	}
	size := align(uint64(len(image)), 16)
	if len(f.Progs) > 10 || len(loads) == 0 || size > end || end >= 1<<32 || len(image)%16 != 0 {
		return p, errors.New("the loaders cannot place such an image")
	}
	base := end - size
	for i, l := range loads {
		next := end
		if i+1 < len(loads) {
			next = base + loads[i+1].Off
		}
		if l.Paddr > base+l.Off || l.Paddr+align(l.Filesz, 16) > next || l.Paddr < bzLoad {
			return p, fmt.Errorf("the loaders cannot place segment %d of the image", i)
		}
	}
	return placing{base, end}, nil
}

func align(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }
