package qemu

import (
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// A Monitor is a connection to QEMU's machine protocol (QMP: docs/interop/qmp-spec in QEMU's tree).
type Monitor struct {
	conn net.Conn
	dec  *json.Decoder
	enc  *json.Encoder
}

// Monitor connects to the machine's monitor. It may be called once a boot.
func (p *Process) Monitor() (*Monitor, error) {
	conn, err := accept(p.sockets.monitor, monitorSocket)
	if err != nil {
		return nil, err
	}
	m := &Monitor{conn, json.NewDecoder(conn), json.NewEncoder(conn)}
	var greeting struct{ QMP json.RawMessage }
	if err := m.read(&greeting); err != nil {
		return nil, err
	}
	if err := m.do("qmp_capabilities", nil); err != nil {
		return nil, err
	}
	return m, nil
}

// Close ends the connection; the guest runs on.
func (m *Monitor) Close() { m.conn.Close() }

// Instructions returns how many instructions the guest has executed since power-on, all CPUs together. Each
// iteration of a REP counts; time skipped while halted does not.
func (m *Monitor) Instructions() (int64, error) {
	var reply struct {
		Mode   string `json:"mode"`
		Icount int64  `json:"icount"`
	}
	if err := m.do("query-replay", &reply); err != nil {
		return 0, err
	}
	if reply.Mode != "record" {
		return 0, fmt.Errorf("qemu: the instruction counter is in mode %q, not record", reply.Mode)
	}
	return reply.Icount, nil
}

// do executes one command and stores what it returns in reply, if that is not nil.
func (m *Monitor) do(command string, reply any) error { return m.call(command, struct{}{}, reply) }

// call is do with arguments.
func (m *Monitor) call(command string, arguments, reply any) error {
	if err := m.enc.Encode(map[string]any{"execute": command, "arguments": arguments}); err != nil {
		return fmt.Errorf("monitor: %s: %w", command, err)
	}
	for {
		var answer struct {
			Event  string
			Error  *struct{ Desc string }
			Return json.RawMessage
		}
		if err := m.read(&answer); err != nil {
			return fmt.Errorf("monitor: %s: %w", command, err)
		}
		switch {
		case answer.Event != "":
			continue
		case answer.Error != nil:
			return fmt.Errorf("monitor: %s: %s", command, answer.Error.Desc)
		case reply == nil:
			return nil
		}
		return json.Unmarshal(answer.Return, reply)
	}
}

func (m *Monitor) read(v any) error {
	m.conn.SetReadDeadline(time.Now().Add(connectLimit))
	return m.dec.Decode(v)
}
