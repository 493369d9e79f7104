package elfimage

import "encoding/binary"

// Physical addresses of the boot segment, the same for every image.
const (
	BootBase    = 0x100000         // where the boot segment is loaded; its first byte is the PVH entry
	MaxBootCode = 0x800            // longest entry code
	Linux64     = BootBase + 0x500 // entry of the 64-bit Linux boot protocol, in RSI its boot_params
	tableBase   = BootBase + 0x800 // the image table
	cmdlineBase = tableBase + tabFirst + MaxSegments*tabStride
	BootEnd     = 0x200000 // end of the boot page tables and stack; the program lies above

	// MaxCmdline is the longest command line that can be baked into an image.
	// The byte after it is the terminating NUL.
	MaxCmdline = 0xf000 - 1
)

// The image table, little-endian words from tableBase.
const (
	tableMagic    = 0x4b43415444524148 // "HARDTACK"
	tabMagic      = 0x00
	tabEntry      = 0x08
	tabSegments   = 0x10
	tabCmdline    = 0x18
	tabCmdlineLen = 0x20
	tabEnd        = 0x28 // end of the last segment in memory as loaded
	tabFirst      = 0x30 // the first segment record
	tabStride     = 32   // vaddr, filesz, memsz, flags

	// MaxSegments is the number of program segments the table has room for.
	MaxSegments = 8
)

const (
	pageSize = 0x1000

	// fileAlign is where segments may begin in the file. Loaders copy them: nothing maps the file, so pages need not be kept.
	fileAlign = 16

	// maxAddr bounds the program: it is loaded where it is linked, and the
	// entry code reaches it with 32-bit addresses.
	maxAddr = 1 << 32

	// bootReach is what boot/amd64/entry.S maps.
	bootReach = 1 << 30
)

// Sizes of ELF64 structures (System V ABI, chapter 4 and 5).
const (
	ehdrSize  = 64
	phdrSize  = 56
	noteAlign = 4
)

var le = binary.LittleEndian

// pageUp rounds n up to whole pages. Callers have bounded n by maxAddr.
func pageUp(n uint64) uint64 { return (n + pageSize - 1) &^ (pageSize - 1) }

func alignUp(n uint64) uint64 { return (n + fileAlign - 1) &^ (fileAlign - 1) }
