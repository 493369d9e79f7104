package block

import "sync"

// An Event is one thing that was done to a Recorder.
type Event struct {
	Off   int64
	Data  []byte // written; nil otherwise
	Size  int64  // discarded; 0 otherwise
	Flush bool
}

// A Recorder passes everything on to a Device, and remembers what was written, discarded and flushed, in the order in which it began.
type Recorder struct {
	Device
	mu  sync.Mutex
	log []Event
}

// NewRecorder makes one over d.
func NewRecorder(d Device) *Recorder { return &Recorder{Device: d} }

// Log is what was done so far.
func (r *Recorder) Log() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log[:len(r.log):len(r.log)]
}

func (r *Recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, e)
}

// Write implements Device.
func (r *Recorder) Write(vec [][]byte, off int64) error {
	var b []byte
	for _, v := range vec {
		b = append(b, v...)
	}
	r.add(Event{Off: off, Data: b})
	return r.Device.Write(vec, off)
}

// Flush implements Device.
func (r *Recorder) Flush() error {
	r.add(Event{Flush: true})
	return r.Device.Flush()
}

// Discard implements Device.
func (r *Recorder) Discard(off, n int64) error {
	r.add(Event{Off: off, Size: n})
	return r.Device.Discard(off, n)
}

// Apply does to memory what was done, flushes aside.
func (e *Event) Apply(disk []byte) {
	copy(disk[e.Off:], e.Data)
	for i := e.Off; i < e.Off+e.Size; i++ {
		disk[i] = 0xdd
	}
}
