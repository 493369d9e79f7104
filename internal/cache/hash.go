package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// A Hash turns a list of fields into a name. Each field goes in with its length, so that moving a byte from one field
// to the next gives another name.
type Hash struct{ h hash.Hash }

// NewHash returns a Hash for names of one purpose: the same fields under another purpose give another name.
func NewHash(purpose string) *Hash {
	h := &Hash{sha256.New()}
	h.Add(purpose)
	return h
}

// Add appends fields.
func (h *Hash) Add(fields ...string) {
	for _, f := range fields {
		h.AddBytes([]byte(f))
	}
}

// AddBytes appends one field.
func (h *Hash) AddBytes(field []byte) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(field)))
	h.h.Write(n[:])
	h.h.Write(field)
}

// Name returns the name of the fields so far: 24 hexadecimal digits, enough that no two lists meet by chance.
func (h *Hash) Name() string {
	return hex.EncodeToString(h.h.Sum(nil)[:12])
}
