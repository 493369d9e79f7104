package qemu

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// A monitor is the command channel to QEMU (QMP). QEMU connects to us, so that
// no port has to be guessed.
type monitor struct {
	listener net.Listener
	ready    chan struct{} // closed when conn is set or never will be
	mu       sync.Mutex
	conn     net.Conn
}

// qmpTimeout bounds one command.
const qmpTimeout = 5 * time.Second

// listenQMP opens the channel below dir and returns QEMU's options for it.
func listenQMP(dir string) (*monitor, string, error) {
	network, addr := "unix", filepath.Join(dir, "qmp")
	if runtime.GOOS == "windows" {
		network, addr = "tcp", "127.0.0.1:0"
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		return nil, "", fmt.Errorf("the command channel to QEMU: %w", err)
	}
	options := "socket,id=qmp,path=" + escape(addr)
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		options = fmt.Sprintf("socket,id=qmp,host=127.0.0.1,port=%d", tcp.Port)
	}
	m := &monitor{listener: l, ready: make(chan struct{})}
	go m.accept()
	return m, options, nil
}

func (m *monitor) accept() {
	defer close(m.ready)
	conn, err := m.listener.Accept()
	if err != nil {
		return
	}
	m.mu.Lock()
	m.conn = conn
	m.mu.Unlock()
}

// powerdown presses the machine's power button.
func (m *monitor) powerdown() error {
	select {
	case <-m.ready:
	case <-time.After(qmpTimeout):
		return errors.New("QEMU did not open its command channel")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil {
		return errors.New("QEMU did not open its command channel")
	}
	m.conn.SetDeadline(time.Now().Add(qmpTimeout))
	replies := json.NewDecoder(bufio.NewReader(m.conn))
	var greeting json.RawMessage
	if err := replies.Decode(&greeting); err != nil {
		return fmt.Errorf("QEMU's command channel: %w", err)
	}
	for _, command := range []string{"qmp_capabilities", "system_powerdown"} {
		if err := execute(m.conn, replies, command); err != nil {
			return fmt.Errorf("QEMU's command channel: %s: %w", command, err)
		}
	}
	return nil
}

// execute sends one command and waits for its reply, passing over events.
func execute(conn net.Conn, replies *json.Decoder, command string) error {
	if _, err := fmt.Fprintf(conn, "{\"execute\":%q}\n", command); err != nil {
		return err
	}
	for {
		var reply struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := replies.Decode(&reply); err != nil {
			return err
		}
		if reply.Error != nil {
			return errors.New(reply.Error.Desc)
		}
		if reply.Return != nil {
			return nil
		}
	}
}

func (m *monitor) close() {
	m.listener.Close()
	<-m.ready
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		m.conn.Close()
	}
}
