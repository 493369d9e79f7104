package qemu

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Balloon asks the guest for a balloon that leaves it size bytes.
func (m *Monitor) Balloon(size int64) error {
	return m.call("balloon", map[string]int64{"value": size}, nil)
}

// BalloonActual returns how much memory the guest has, as its driver says.
func (m *Monitor) BalloonActual() (int64, error) {
	var reply struct {
		Actual int64 `json:"actual"`
	}
	err := m.do("query-balloon", &reply)
	return reply.Actual, err
}

// Resident returns how much of the guest's memory, which has size bytes, is resident in the host (proc_pid_smaps(5)).
func (p *Process) Resident(size int64) (int64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	resident, large := int64(0), false
	for line := range strings.Lines(string(maps)) {
		var name string
		var kib int64
		fmt.Sscanf(line, "%s %d kB", &name, &kib)
		switch name {
		case "Size:":
			large = kib<<10 >= size // the kernel may show what lies beside it as one with it
		case "Rss:":
			if large {
				resident = max(resident, kib<<10)
			}
		}
	}
	if err := p.Alive(); err != nil {
		return 0, err
	}
	if resident == 0 {
		return 0, errors.New("the host does not tell how much of the guest's memory is resident: its /proc must have smaps")
	}
	return min(resident, size), nil
}
