package virtio

// BrokenError says that a device broke the rules of its queue. Close the device; it may be opened anew.
type BrokenError struct {
	Device string
	Queue  int
	Why    string
}

func (e *BrokenError) Error() string {
	return "virtio: " + e.Device + ": queue " + decimal(e.Queue) + " is broken: " + e.Why + "; close the device"
}

// DeviceError says what a device lacks or refuses.
type DeviceError struct {
	Device string
	Why    string
}

func (e *DeviceError) Error() string { return "virtio: " + e.Device + ": " + e.Why }

func decimal(n int) string {
	if n < 0 {
		return "-" + decimal(-n)
	}
	if n < 10 {
		return string([]byte{byte('0' + n)})
	}
	return decimal(n/10) + decimal(n%10)
}

func hex(v uint64) string {
	const digits = "0123456789abcdef"
	if v < 16 {
		return digits[v : v+1]
	}
	return hex(v>>4) + digits[v&15:v&15+1]
}
