package block

import (
	"slices"
	"sync"
)

// Memory is a device in memory.
type Memory struct {
	mu    sync.RWMutex // guards all below
	data  []byte
	info  Info
	grown []func()
}

// NewMemory makes one of size bytes, or of what data holds.
func NewMemory(data []byte) *Memory {
	return &Memory{data: data, info: Info{Name: "memory", Size: int64(len(data)), BlockSize: 512, Discard: true}}
}

// Info implements Device.
func (m *Memory) Info() Info {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.info
}

// Notify implements Grower.
func (m *Memory) Notify(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grown = append(m.grown, f)
}

// Grow makes the device larger, to size bytes, and tells of it.
func (m *Memory) Grow(size int) {
	m.mu.Lock()
	m.data = append(m.data, make([]byte, size-len(m.data))...)
	m.info.Size = int64(size)
	list := slices.Clone(m.grown)
	m.mu.Unlock()
	for _, f := range list {
		f()
	}
}

// Read implements Device.
func (m *Memory) Read(vec [][]byte, off int64) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.info.Check(off, Len(vec)); err != nil {
		return err
	}
	for _, b := range vec {
		off += int64(copy(b, m.data[off:]))
	}
	return nil
}

// Write implements Device.
func (m *Memory) Write(vec [][]byte, off int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.info.Check(off, Len(vec)); err != nil {
		return err
	}
	for _, b := range vec {
		off += int64(copy(m.data[off:], b))
	}
	return nil
}

// Flush implements Device: memory is as durable as it gets.
func (m *Memory) Flush() error { return nil }

// Discard implements Device. What was discarded reads as something else, so that nobody relies on it.
func (m *Memory) Discard(off, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.info.Check(off, n); err != nil {
		return err
	}
	for i := off; i < off+n; i++ {
		m.data[i] = 0xdd
	}
	return nil
}

// Close implements Device.
func (m *Memory) Close() error { return nil }

// Bytes is the memory itself.
func (m *Memory) Bytes() []byte { return m.data }
