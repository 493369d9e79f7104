package runtime

import "internal/abi"

// The console on a screen, beside the serial line: what goes there is shown here, too, whether a UART is there or not. The loader has told which screen by the
// field screen_info of boot_params (Linux, include/uapi/linux/screen_info.h), of which boot/amd64/entry.S has left a copy: VGA's text mode of a BIOS, or the frame
// buffer of UEFI's graphics output (UEFI 2.10, 12.9), of 32 bits a pixel. A machine that was started otherwise has no screen, and so has one whose command line says screen=off.
//
// Letters are ASCII; others are a question mark. Newline, carriage return, tab and backspace move; other control characters and escape sequences mean nothing.
//
// Memory of a screen is slow to write and slower to read. So what is written goes to letters in RAM first, of which a newline that moves the screen up only turns the first line, and
// then those letters are drawn that differ from what is shown: once for all of a piece, a few in a call of the kernel side, so that interrupts come between. What print and a dying
// image say is drawn at once, by at most a picture for each, with interrupts off.

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

	exoScreenAtOnce = 16 // letters that are drawn with interrupts off
)

type exoScreenState struct {
	lock        exoLock
	kind        uint32 // 0: no screen
	base        uintptr
	stride      uintptr // bytes from one row of pixels to the next
	cols, rows  uintptr
	x, y        uintptr // where the next letter goes; x may be cols
	top         uintptr // the line of cells that is the screen's first
	cells       uintptr // the letters that are to be shown, rows lines of cols bytes
	shown       uintptr // the letters that are shown, from the screen's first line on
	from, to    uintptr // the lines of the screen that may differ from cells
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
	off := false
	for _, text := range exo.cmd.text {
		var k exoToken
		for p := text; p != 0 && k.next(p); p = k.end {
			if k.is("screen") {
				off = k.has("off")
			}
		}
	}
	if off {
		return
	}
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
	size := s.cols * s.rows
	f := exoFrameRun((2*size+exoPageSize-1)>>exoPageShift, exoPageSize)
	if s.base == 0 || f == 0 {
		return
	}
	s.cells, s.shown, s.kind = exoDirect(f), exoDirect(f)+size, uint32(exoLoad8(i+exoScreenKind))
	for c := uintptr(0); c < size; c++ {
		exoStore8(s.cells+c, ' ')
		exoStore8(s.shown+c, 0) // so that each is drawn
	}
	s.to = s.rows
	for s.draw() {
	}
}

// line is where the letters of a line of the screen are.
func (s *exoScreenState) line(y uintptr) uintptr { return s.cells + (s.top+y)%s.rows*s.cols }

// draw shows the next letters that differ, and reports whether there may be more.
func (s *exoScreenState) draw() bool {
	n := 0
	for y := s.from; y < min(s.to, s.rows); y++ {
		line, shown := s.line(y), s.shown+y*s.cols
		for x := uintptr(0); x < s.cols; x++ {
			if b := exoLoad8(line + x); b != exoLoad8(shown+x) {
				if n == exoScreenAtOnce {
					s.from = y
					return true
				}
				n++
				exoStore8(shown+x, b)
				s.show(x, y, b)
			}
		}
	}
	s.from, s.to = s.rows, 0
	return false
}

// show draws a letter.
func (s *exoScreenState) show(x, y uintptr, b byte) {
	if s.kind == 1 {
		cell := s.base + 2*(y*s.cols+x)
		exoStore8(cell, b)
		exoStore8(cell+1, 7)
		return
	}
	p := s.base + y*exoGlyphH*s.stride + x*exoGlyphW*4
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
	s.top = (s.top + 1) % s.rows
	s.from, s.to = 0, s.rows
	last := s.line(s.rows - 1)
	for x := uintptr(0); x < s.cols; x++ {
		exoStore8(last+x, ' ')
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
		x, y := s.x, s.y
		if x >= s.cols || y >= s.rows {
			return // another CPU moved it meanwhile: exoPutc takes no lock
		}
		exoStore8(s.line(y)+x, b)
		s.from, s.to, s.x = min(s.from, y), max(s.to, y+1), x+1
	}
}

// exoConsoleSend is exoSerialSend that takes what was sent for the screen, too. Who has much patience waits until it is shown; for others exoScreenKernel shows it.
func exoConsoleSend(p, n uintptr, patience int) uintptr {
	sent := exoSerialSend(p, n, patience)
	for m := sent; exoOpScreen(p, m, 0) != 0 && patience == 1<<20; m = 0 {
		exoTLBPoll(exoSelf())
	}
	return sent
}

// exoOpScreen takes n bytes for the screen and draws a few letters. It says 1 if there may be more to draw.
func exoOpScreen(p, n, _ uintptr) (more uintptr) {
	s := &exoScreen
	s.lock.lock()
	for ; n != 0; n-- {
		s.put(exoLoad8(p))
		p++
	}
	if s.draw() {
		more = 1
	}
	s.lock.unlock()
	return more
}

// exoScreenKernel is exoKernel for a piece of output: it shows it before it returns, a few letters at a time. A picture is enough: who writes more meanwhile draws it.
// The piece may be on the stack, which has to stay where it is until it is taken.
//
//go:nosplit
func exoScreenKernel(pc, p, n, _ uintptr) uintptr {
	sent := exoKernel(pc, p, n, 0)
	for i := uintptr(0); i < exoScreen.rows*(1+exoScreen.cols/exoScreenAtOnce) && exoKernel(abi.FuncPCABIInternal(exoOpScreen), 0, 0, 0) != 0; i++ {
	}
	return sent
}

// exoPutc is what the kernel side says, maybe in the middle of anything: it takes no lock.
func exoPutc(b byte) {
	exoSerialPutc(b)
	s := &exoScreen
	s.put(b)
	for s.draw() {
	}
}
