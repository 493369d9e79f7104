package qemu

import "fmt"

// DiskReads returns how many requests to read the guest has made of its disk.
func (m *Monitor) DiskReads() (int64, error) {
	var reply []struct {
		Stats struct {
			Reads int64 `json:"rd_operations"`
		} `json:"stats"`
	}
	if err := m.do("query-blockstats", &reply); err != nil {
		return 0, err
	}
	if len(reply) != 1 {
		return 0, fmt.Errorf("qemu: the machine has %d disks, not one", len(reply))
	}
	return reply[0].Stats.Reads, nil
}
