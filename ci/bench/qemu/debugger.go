package qemu

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Debugger is a connection to QEMU's GDB stub: just enough of the remote protocol (GDB manual, appendix
// "Remote Serial Protocol") to run the guest to an address.
type Debugger struct {
	conn net.Conn
	r    *bufio.Reader
}

// Debugger connects to the stopped machine's debugger. It may be called once a boot.
func (p *Process) Debugger() (*Debugger, error) {
	conn, err := accept(p.sockets.debugger, debuggerSocket)
	if err != nil {
		return nil, err
	}
	return &Debugger{conn, bufio.NewReader(conn)}, nil
}

// Close ends the connection. A stopped guest stays stopped.
func (d *Debugger) Close() { d.conn.Close() }

// RunTo lets the guest run until a CPU is about to execute the instruction at the virtual address addr, in
// whatever address space, or until limit has passed. The guest is stopped when it returns without error.
func (d *Debugger) RunTo(addr uint64, limit time.Duration) error {
	d.conn.SetDeadline(time.Now().Add(limit))
	// Z1 and z1: set and clear a hardware breakpoint. QEMU keeps those by address only and does not write
	// to memory, so the code need not be there yet.
	breakpoint := fmt.Sprintf("1,%x,1", addr)
	if err := d.expect("Z"+breakpoint, "OK"); err != nil {
		return err
	}
	if err := d.expect("c", "T05"); err != nil {
		return fmt.Errorf("running the guest to %#x: %w", addr, err)
	}
	return d.expect("z"+breakpoint, "OK")
}

// expect sends a packet and requires a reply that begins with want.
func (d *Debugger) expect(packet, want string) error {
	if _, err := fmt.Fprintf(d.conn, "$%s#%02x", packet, checksum(packet)); err != nil {
		return fmt.Errorf("debugger: %s: %w", packet, err)
	}
	reply, err := d.receive()
	if err != nil {
		return fmt.Errorf("debugger: %s: %w", packet, err)
	}
	if !strings.HasPrefix(reply, want) {
		return fmt.Errorf("debugger: %s: QEMU answered %q where %q was due", packet, reply, want)
	}
	return nil
}

// receive reads one packet and acknowledges it.
func (d *Debugger) receive() (string, error) {
	if _, err := d.r.ReadString('$'); err != nil { // skips acknowledgements
		return "", err
	}
	body, err := d.r.ReadString('#')
	if err != nil {
		return "", err
	}
	body = strings.TrimSuffix(body, "#")
	var sum [2]byte
	for i := range sum {
		if sum[i], err = d.r.ReadByte(); err != nil {
			return "", err
		}
	}
	if n, err := strconv.ParseUint(string(sum[:]), 16, 8); err != nil || byte(n) != checksum(body) {
		return "", fmt.Errorf("packet %q has checksum %q", body, sum)
	}
	_, err = d.conn.Write([]byte("+"))
	return body, err
}

func checksum(s string) (sum byte) {
	for i := range len(s) {
		sum += s[i]
	}
	return sum
}
