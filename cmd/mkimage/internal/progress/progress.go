// Package progress tells on stderr what a long step is doing: one changing line
// on a terminal, plain lines elsewhere. A short step says nothing.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// How long a step may take unannounced, and how often the line changes.
const (
	quietTerminal = 300 * time.Millisecond
	quietPlain    = 2 * time.Second
	tick          = 100 * time.Millisecond
)

var frames = []string{"|", "/", "-", `\`}

// A Reporter shows steps, one at a time or several at once.
type Reporter struct {
	w        io.Writer
	terminal bool
	mu       sync.Mutex
}

// New returns a reporter to f.
func New(f *os.File) *Reporter {
	return &Reporter{w: f, terminal: term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"}
}

// Plain returns a reporter of plain lines to w.
func Plain(w io.Writer) *Reporter { return &Reporter{w: w} }

// Step announces what, if it lasts, until the returned function is called.
func (r *Reporter) Step(what string) (done func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		r.show(what, stop)
	}()
	return sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
}

func (r *Reporter) show(what string, stop <-chan struct{}) {
	quiet := quietPlain
	if r.terminal {
		quiet = quietTerminal
	}
	start := time.Now()
	select {
	case <-stop:
		return
	case <-time.After(quiet):
	}
	if !r.terminal {
		r.write(fmt.Sprintf("mkimage: %s\n", what))
		return
	}
	for i := 0; ; i++ {
		r.write(fmt.Sprintf("\r%s %s (%d s)\x1b[K", frames[i%len(frames)], what, int(time.Since(start).Seconds())))
		select {
		case <-stop:
			r.write("\r\x1b[K")
			return
		case <-time.After(tick):
		}
	}
}

func (r *Reporter) write(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	io.WriteString(r.w, s)
}
