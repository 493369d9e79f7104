package posix

// What libos/posix/linux needs for a terminal's ioctls, and libos/posix/files for /dev/tty. Not linked without them.

// Translate says whether carriage returns that come in become newlines (ICRNL; so it is at first), and whether
// newlines that go out get a carriage return before them (OPOST and ONLCR; so it is not).
func (c *Console) Translate(input, output bool) {
	c.mu.Lock()
	c.input, c.output = input, output
	c.mu.Unlock()
}

// Buffered is how many bytes of input are waiting.
func (c *Console) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pump()
	return len(c.pending)
}

// TheConsole is the one there is.
func TheConsole() *Console { return &theConsole }
