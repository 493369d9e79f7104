// Package rng is the driver of virtio's entropy device: VIRTIO 1.2, 5.4.
//
// The device fills buffers with bytes from the host. Feed is what an image needs of it: it takes the device, mixes some
// bytes into the runtime's generator, and gives the device back, so that nothing stays behind. It costs about
// 40 register accesses and one interrupt. Who calls it decides when; a machine whose processor has RDSEED has no hurry.
package rng

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// DeviceID is the entropy device's (VIRTIO 1.2, chapter 5).
const DeviceID = 4

const (
	holder   = "virtio-rng"
	patience = 1e9 // a second for one buffer: the host may limit the rate
)

// Source is an open entropy device, for one goroutine at a time.
type Source struct {
	d   *virtio.Device
	q   *virtio.Queue
	buf *exo.Frames
}

// Open takes the machine's first entropy device. *NoDeviceError if there is none.
func Open() (*Source, error) {
	places := virtio.Find(DeviceID)
	if len(places) == 0 {
		return nil, &NoDeviceError{}
	}
	d, err := virtio.Open(holder, places[0], 0)
	if err != nil {
		return nil, err
	}
	s := &Source{d: d}
	if s.q, err = d.Queue(holder, 0, 8); err == nil {
		s.buf, err = exo.TakeFrames(holder, 1, 0)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	d.Start()
	return s, nil
}

// NoDeviceError says that the machine has no entropy device.
type NoDeviceError struct{}

func (*NoDeviceError) Error() string {
	return "rng: no virtio entropy device: give the VMM one (QEMU: -device virtio-rng-pci or virtio-rng-device)"
}

// Read fills p with bytes from the host. It parks. After an error close the source.
func (s *Source) Read(p []byte) (n int, err error) {
	for n < len(p) {
		want := min(len(p)-n, exo.PageSize)
		got, err := s.fill(uint32(want))
		if err != nil {
			return n, err
		}
		b := s.buf.Bytes()[:got]
		n += copy(p[n:], b)
		clear(b)
	}
	return n, nil
}

// fill has the device write to the buffer and says how many bytes came: at least one (5.4.6.2).
func (s *Source) fill(want uint32) (uint32, error) {
	if !s.q.Add(0, virtio.Buffer{Addr: s.buf.Base(), Len: want, Write: true}) {
		return 0, s.broken()
	}
	s.q.Kick()
	deadline := exo.Now() + patience
	for {
		if _, got, ok := s.q.Next(); ok {
			if got == 0 {
				return 0, &virtio.DeviceError{Device: s.d.Name(), Why: "it returned a buffer without entropy"}
			}
			return got, nil
		}
		if s.q.Err() != nil {
			return 0, s.broken()
		}
		if exo.Now() >= deadline {
			return 0, &virtio.DeviceError{Device: s.d.Name(), Why: "it gave nothing for a second"}
		}
		if _, err := s.d.Wait(deadline); err != nil {
			return 0, err
		}
	}
}

func (s *Source) broken() error {
	if err := s.q.Err(); err != nil {
		return err
	}
	return &virtio.DeviceError{Device: s.d.Name(), Why: "its queue is full after an error: close it"}
}

// Close gives the device back. If it does not stop, its buffer is left to it.
func (s *Source) Close() {
	if s.d.Close() && s.buf != nil {
		s.buf.Release()
	}
}

// Feed mixes n bytes (at most a page) from the entropy device into the runtime's generator. It parks.
func Feed(n int) error {
	s, err := Open()
	if err != nil {
		return err
	}
	defer s.Close()
	p := make([]byte, min(n, exo.PageSize))
	if _, err := s.Read(p); err != nil {
		return err
	}
	exo.MixEntropy(p)
	clear(p)
	return nil
}
