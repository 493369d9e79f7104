package inet

import (
	"context"
	"io"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
)

// The API for programs that wait: what package net offers, without descriptors.

// A waker is the Hook of who waits: it wakes all, and they try again.
type waker struct {
	mu sync.Mutex
	ch chan struct{} // closed at the next event; nil: nobody waits
}

// Happened implements Hook.
func (w *waker) Happened(Events) {
	w.mu.Lock()
	if w.ch != nil {
		close(w.ch)
		w.ch = nil
	}
	w.mu.Unlock()
}

func (w *waker) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ch == nil {
		w.ch = make(chan struct{})
	}
	return w.ch
}

// until tries until try says something else than EAGAIN, or the deadline is over.
func (w *waker) until(d *deadline, try func() error) error {
	for {
		err := try()
		if err != syscall.EAGAIN {
			return err
		}
		ch, over := w.next(), d.next()
		if err := try(); err != syscall.EAGAIN {
			return err
		}
		select {
		case <-ch:
		case <-over:
			if d.passed() {
				return os.ErrDeadlineExceeded
			}
		}
	}
}

// A deadline is a time that can be moved while somebody waits for it.
type deadline struct {
	mu    sync.Mutex
	at    time.Time
	timer *time.Timer
	ch    chan struct{} // closed when it is over or moved; nil: nobody waits
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	d.wake()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), func() {
			d.mu.Lock()
			d.wake()
			d.mu.Unlock()
		})
	}
}

func (d *deadline) wake() {
	if d.ch != nil {
		close(d.ch)
		d.ch = nil
	}
}

func (d *deadline) next() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ch == nil {
		d.ch = make(chan struct{})
		if !d.at.IsZero() && !time.Now().Before(d.at) {
			ch := d.ch
			d.wake()
			return ch
		}
	}
	return d.ch
}

func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && !time.Now().Before(d.at)
}

// A Stream is a connection of TCP for who waits. It is an io.ReadWriteCloser with deadlines, as net.Conn; the end of what comes is 0 bytes and a nil error
// from ReadBuf, io.EOF from Read.
type Stream struct {
	*Conn
	wake        waker
	read, write deadline
}

// ListenTCP listens on an address.
func (s *Stack) ListenTCP(a netip.AddrPort, backlog int) (*Port, error) {
	b, err := s.BindTCP(a, a.Addr().Is6(), true, false)
	if err != nil {
		return nil, err
	}
	p := new(Port)
	if p.Listener, err = b.Listen(backlog, DefaultTCPOptions(), &p.wake); err != nil {
		b.Close()
		return nil, err
	}
	return p, nil
}

// A Port is a Listener for who waits.
type Port struct {
	*Listener
	wake waker
	end  deadline
}

// Accept waits for the next connection.
func (p *Port) Accept() (*Stream, error) {
	st := new(Stream)
	err := p.wake.until(&p.end, func() (err error) {
		st.Conn, err = p.TryAccept()
		return err
	})
	if err != nil {
		return nil, err
	}
	st.SetHook(&st.wake)
	return st, nil
}

// SetDeadline bounds Accept's waiting.
func (p *Port) SetDeadline(t time.Time) { p.end.set(t) }

// DialTCP connects.
func (s *Stack) DialTCP(ctx context.Context, to netip.AddrPort) (*Stream, error) {
	st := new(Stream)
	c, err := s.Dial(netip.AddrPort{}, to, DefaultTCPOptions(), &st.wake)
	if err != nil {
		return nil, err
	}
	st.Conn = c
	stop := context.AfterFunc(ctx, func() { st.write.set(time.Unix(1, 0)) })
	err = st.wake.until(&st.write, func() error {
		if e := c.TakeError(); e != 0 {
			return e
		}
		if c.Ready()&(Writable|HangUp) == 0 {
			return syscall.EAGAIN
		}
		return nil
	})
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close(true)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return st, nil
}

// Read waits for bytes.
func (st *Stream) Read(p []byte) (n int, err error) {
	err = st.wake.until(&st.read, func() (err error) {
		n, err = st.TryRead(p, false)
		return err
	})
	if err == nil && n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, err
}

// ReadBuf waits for bytes and gives those that lie in one piece, most of them at most, where the device has put them. The caller releases them. The zero Ref
// without an error is the end.
func (st *Stream) ReadBuf(most int) (r buf.Ref, err error) {
	err = st.wake.until(&st.read, func() (err error) {
		r, err = st.TryReadBuf(most)
		return err
	})
	return r, err
}

// Write waits until all of p is taken.
func (st *Stream) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		err = st.wake.until(&st.write, func() error {
			k, err := st.TryWrite(p[n:])
			n += k
			return err
		})
	}
	return n, err
}

// WriteBuf waits until r is taken over, and does not copy.
func (st *Stream) WriteBuf(r *buf.Ref) error {
	return st.wake.until(&st.write, func() error { return st.TryWriteBuf(r) })
}

// SetReadDeadline and SetWriteDeadline bound waiting.
func (st *Stream) SetReadDeadline(t time.Time)  { st.read.set(t) }
func (st *Stream) SetWriteDeadline(t time.Time) { st.write.set(t) }

// CloseWrite tells the peer that no more will come.
func (st *Stream) CloseWrite() error { return st.Shutdown(ShutSend) }

// Close ends the use of the connection.
func (st *Stream) Close() error {
	st.Conn.Close(false)
	return nil
}

// A Packets is an endpoint of UDP for who waits.
type Packets struct {
	*UDP
	wake waker
	read deadline
}

// ListenUDP makes an endpoint with a local address.
func (s *Stack) ListenUDP(a netip.AddrPort) (*Packets, error) {
	p := new(Packets)
	p.UDP = s.NewUDP(a.Addr().Is6(), &p.wake)
	if err := p.Bind(a); err != nil {
		return nil, err
	}
	return p, nil
}

// Recv waits for a datagram.
func (p *Packets) Recv(b []byte) (n int, d Datagram, err error) {
	err = p.wake.until(&p.read, func() (err error) {
		n, d, err = p.TryRecv(b, false)
		return err
	})
	return n, d, err
}

// ReadFrom is Recv for who wants no more than who has sent it.
func (p *Packets) ReadFrom(b []byte) (n int, from netip.AddrPort, err error) {
	n, d, err := p.Recv(b)
	return n, d.From, err
}

// WriteTo sends a datagram.
func (p *Packets) WriteTo(b []byte, to netip.AddrPort) (int, error) { return p.TrySend(b, to, nil) }

// SetReadDeadline bounds ReadFrom's waiting.
func (p *Packets) SetReadDeadline(t time.Time) { p.read.set(t) }
