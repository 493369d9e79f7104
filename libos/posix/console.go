package posix

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// A Console is the serial line behind descriptors 0, 1 and 2, seen as a terminal without line editing: what is typed
// arrives at once and nothing is echoed. Three bytes are special, as on Linux's terminals: a carriage return, which is
// what a terminal's Enter key sends, arrives as a newline; Ctrl-D is the end of input; and Ctrl-V takes from the byte
// after it what is special about it, so that whoever holds the other end can send every byte.
//
// From the first read, or the first question whether one would block, a goroutine (the pump) reads ahead by one
// buffer, so that there is a state to ask for and a moment to tell about.
type Console struct {
	mu      park.Mutex
	pumping bool
	ended   bool       // the pump met the end of input
	quoted  bool       // the next byte is nothing but itself
	pending []byte     // what it read, or the rest of it
	readers park.Queue // wait until there is input, or no more will come
	drained park.Queue // the pump waits until pending is empty
	watch   Watchers

	input, output bool // Translate's
}

var (
	theConsole = Console{input: true}
	consoleBuf [1024]byte // the pump's
)

// Read implements Object.
func (c *Console) Read(f *File, p []byte) (n int, e syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	c.mu.Lock()
	c.pump()
	for len(c.pending) == 0 && !c.ended && e == 0 {
		if f.Nonblock() {
			n, e = -1, syscall.EAGAIN
		} else {
			c.readers.Wait(&c.mu)
		}
	}
	if e == 0 {
		n = copy(p, c.pending)
		if c.pending = c.pending[n:]; len(c.pending) == 0 {
			c.drained.Wake()
		} else {
			c.readers.Wake()
		}
	}
	c.mu.Unlock()
	return n, e
}

// pump starts the pump, unless input is at its end; mu is held.
func (c *Console) pump() {
	if !c.pumping && !c.ended {
		c.pumping = true
		go c.readAhead()
	}
}

func (c *Console) readAhead() {
	c.mu.Lock()
	for !c.ended {
		c.mu.Unlock()
		n := hwConsoleRead(consoleBuf[:])
		c.mu.Lock()
		c.ended = n == 0
		c.pending = c.arrived(consoleBuf[:n])
		if len(c.pending) > 0 || c.ended {
			c.readers.WakeAll()
			c.watch.Notify(In | InN)
		}
		for len(c.pending) > 0 {
			c.drained.Wait(&c.mu)
		}
	}
	c.pumping = false
	c.mu.Unlock()
}

// The special bytes of the line: a terminal's VEOF and VLNEXT, in ASCII EOT and SYN.
const (
	endOfInput = 0x04
	literal    = 0x16
)

// arrived makes of what came over the line what was meant, in place; mu is held.
func (c *Console) arrived(p []byte) []byte {
	n := 0
	for _, b := range p {
		switch {
		case c.quoted:
			c.quoted = false
		case b == literal:
			c.quoted = true
			continue
		case b == endOfInput:
			c.ended = true
			return p[:n]
		case b == '\r' && c.input:
			b = '\n'
		}
		p[n] = b
		n++
	}
	return p[:n]
}

// Write implements Object.
func (c *Console) Write(f *File, p []byte) (int, syscall.Errno) {
	if !c.output {
		hwConsoleWrite(p)
		return len(p), 0
	}
	from := 0
	for i, b := range p {
		if b == '\n' {
			hwConsoleWrite(p[from:i])
			hwConsoleWrite(crlf[:])
			from = i + 1
		}
	}
	hwConsoleWrite(p[from:])
	return len(p), 0
}

var crlf = [2]byte{'\r', '\n'}

// Ready implements Object.
func (c *Console) Ready() Events {
	c.mu.Lock()
	c.pump()
	ev := Out | OutN
	if len(c.pending) > 0 || c.ended {
		ev |= In | InN
	}
	c.mu.Unlock()
	return ev
}

// Watchers implements Object.
func (c *Console) Watchers() *Watchers { return &c.watch }

// Stat implements Object.
func (c *Console) Stat(st *syscall.Stat_t) {
	st.Ino, st.Mode, st.Dev, st.Rdev = 1, syscall.S_IFCHR|0o620, 5, 4<<8|64 // as ttyS0
}

// Release implements Object.
func (c *Console) Release() {}
