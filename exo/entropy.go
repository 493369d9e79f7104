package exo

// MixEntropy gives bytes from a hardware source to the runtime's generator, which adds them to what it has; they can never
// make it worse. It does not park.
func MixEntropy(p []byte) { hwEntropy(p) }
