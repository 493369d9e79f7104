package qemu

import "fmt"

// Requests are how many of each kind a guest has made of its disk.
type Requests struct {
	Reads   int64 `json:"rd_operations"`
	Writes  int64 `json:"wr_operations"`
	Flushes int64 `json:"flush_operations"`
}

// DiskRequests returns what the guest has asked of its disk so far.
func (m *Monitor) DiskRequests() (Requests, error) {
	var reply []struct {
		Stats Requests `json:"stats"`
	}
	if err := m.do("query-blockstats", &reply); err != nil {
		return Requests{}, err
	}
	if len(reply) != 1 {
		return Requests{}, fmt.Errorf("qemu: the machine has %d disks, not one", len(reply))
	}
	return reply[0].Stats, nil
}
