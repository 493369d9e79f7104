package runtime

// The console on a screen, beside the serial line: what goes there is shown here, too, whether a UART is there or not. The loader has told which screen by the
// field screen_info of boot_params (Linux, include/uapi/linux/screen_info.h), of which boot/amd64/entry.S has left a copy: VGA's text mode of a BIOS, or the frame
// buffer of UEFI's graphics output (UEFI 2.10, 12.9), of 32 bits a pixel. A machine that was started otherwise has no screen.
//
// Letters are ASCII; others are a question mark. Newline, carriage return, tab and backspace move; other control characters and escape sequences mean nothing. Where the screen is full
// it moves up, by drawing again the letters that differ: memory of a screen is slow to read. No byte costs the program more than that, which is up to a picture of writes.

const (
	exoScreenInfo  = 0x180f00   // physical, behind the magic word
	exoScreenMagic = 0x43535448 // "HTSC"

	// struct screen_info, byte offsets.
	exoScreenCols   = 0x07
	exoScreenLines  = 0x0e
	exoScreenKind   = 0x0f // 1: VGA's text mode; 0x70: UEFI's frame buffer
	exoScreenWidth  = 0x12
	exoScreenHeight = 0x14
	exoScreenDepth  = 0x16
	exoScreenBase   = 0x18
	exoScreenStride = 0x24
	exoScreenHigh   = 0x3a // upper half of the base

	exoVGAText  = 0xb8000
	exoGlyphW   = 8
	exoGlyphH   = 16
	exoScreenFg = 0x00b0b0b0 // the same whatever the order of colours
	exoTab      = 8
)

type exoScreenState struct {
	lock        exoLock
	kind        uint32 // 0: no screen
	base        uintptr
	stride      uintptr // bytes from one row of pixels to the next
	cols, rows  uintptr
	x, y        uintptr // where the next letter goes; x may be cols
	cells       uintptr // the letters that are shown, cols*rows bytes
	initialized uint32  // keeps this out of BSS, which is not there yet
}

var exoScreen = exoScreenState{initialized: 1}

// exoScreenBoot looks for a screen; it stands for exoClockInit in exoBoot, where page tables are there.
func exoScreenBoot() {
	exoScreenFind()
	exoClockInit()
}

func exoScreenFind() {
	s := &exoScreen
	i := exoDirect(exoScreenInfo)
	if exoLoad32(i-4) != exoScreenMagic {
		return
	}
	switch kind := exoLoad8(i + exoScreenKind); kind {
	case 1:
		s.cols, s.rows = uintptr(exoLoad8(i+exoScreenCols)), uintptr(exoLoad8(i+exoScreenLines))
		if s.cols == 0 || s.cols*s.rows > 132*60 || s.rows == 0 {
			return
		}
		s.base = exoMapMMIO(exoVGAText, s.cols*s.rows*2)
	case 0x70:
		w, h := uintptr(exoLoad16(i+exoScreenWidth)), uintptr(exoLoad16(i+exoScreenHeight))
		base := uintptr(exoLoad32(i+exoScreenBase)) | uintptr(exoLoad32(i+exoScreenHigh))<<32
		s.stride = uintptr(exoLoad16(i + exoScreenStride))
		s.cols, s.rows = w/exoGlyphW, h/exoGlyphH
		if exoLoad16(i+exoScreenDepth) != 32 || s.cols == 0 || s.rows == 0 || s.stride < 4*w || base == 0 || base >= 1<<46 || base&3 != 0 {
			return
		}
		s.base = exoMapMMIO(base, h*s.stride)
		for p := s.base; s.base != 0 && p < s.base+h*s.stride; p += 4 {
			exoStore32(p, 0)
		}
	default:
		return
	}
	f := exoFrameRun((s.cols*s.rows+exoPageSize-1)>>exoPageShift, exoPageSize)
	if s.base == 0 || f == 0 {
		return
	}
	s.cells, s.kind = exoDirect(f), uint32(exoLoad8(i+exoScreenKind))
	for c := uintptr(0); c < s.cols*s.rows; c++ {
		exoStore8(s.cells+c, 0) // so that each is drawn
		s.show(c, ' ')
	}
}

// show has a letter at a cell.
func (s *exoScreenState) show(cell uintptr, b byte) {
	if exoLoad8(s.cells+cell) == b {
		return
	}
	exoStore8(s.cells+cell, b)
	if s.kind == 1 {
		exoStore8(s.base+2*cell, b)
		exoStore8(s.base+2*cell+1, 7)
		return
	}
	p := s.base + cell/s.cols*exoGlyphH*s.stride + cell%s.cols*exoGlyphW*4
	glyph := exoFont[b-exoFontFirst]
	for row := 0; row < exoFontRows; row++ {
		for col := uintptr(1); col <= exoFontCols; col++ {
			v := uint32(0)
			if glyph>>(exoFontRows*exoFontCols-1)&1 != 0 {
				v = exoScreenFg
			}
			glyph <<= 1
			exoStore32(p+4*col, v)
			exoStore32(p+4*col+s.stride, v)
		}
		p += 2 * s.stride
	}
}

// newline goes to the next line, and moves the screen up where there is none.
func (s *exoScreenState) newline() {
	s.x = 0
	if y := s.y; y+1 < s.rows {
		s.y = y + 1
		return
	}
	last := s.cols * (s.rows - 1)
	for c := uintptr(0); c < last; c++ {
		s.show(c, exoLoad8(s.cells+c+s.cols))
	}
	for c := uintptr(0); c < s.cols; c++ {
		s.show(last+c, ' ')
	}
}

func (s *exoScreenState) put(b byte) {
	switch {
	case s.kind == 0:
	case b == '\n':
		s.newline()
	case b == '\r':
		s.x = 0
	case b == '\b':
		if s.x > 0 {
			s.x--
		}
	case b == '\t':
		s.x = min((s.x/exoTab+1)*exoTab, s.cols-1)
	case b < exoFontFirst || b == 0x7f || b>>6 == 2: // the rest of a letter of several bytes
	default:
		if b > exoFontLast {
			b = '?'
		}
		if s.x >= s.cols {
			s.newline()
		}
		if c := s.y*s.cols + s.x; c < s.cols*s.rows { // where another CPU puts, too, x may be at the end by now
			s.show(c, b)
		}
		s.x++
	}
}

// exoConsoleSend is exoSerialSend that shows what was sent.
func exoConsoleSend(p, n uintptr, patience int) uintptr {
	sent := exoSerialSend(p, n, patience)
	s := &exoScreen
	s.lock.lock()
	for i := uintptr(0); i < sent; i++ {
		s.put(exoLoad8(p + i))
	}
	s.lock.unlock()
	return sent
}

// exoPutc is what the kernel side says, maybe in the middle of anything: it takes no lock.
func exoPutc(b byte) {
	exoSerialPutc(b)
	exoScreen.put(b)
}
