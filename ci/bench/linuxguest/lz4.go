package linuxguest

import (
	"encoding/binary"
	"errors"
)

// lz4Magic begins LZ4's legacy frame, the one that the kernel's build uses: blocks follow, each a 32-bit length
// and that many bytes, until the end (lz4, doc/lz4_Frame_format.md, "Legacy frame").
var lz4Magic = []byte{0x02, 0x21, 0x4c, 0x18}

var errLZ4 = errors.New("the kernel's LZ4 data are damaged")

// decodeLZ4 decodes a legacy frame.
func decodeLZ4(in []byte) ([]byte, error) {
	var out []byte
	for in = in[len(lz4Magic):]; len(in) > 0; {
		if len(in) < 4 {
			return nil, errLZ4
		}
		n := binary.LittleEndian.Uint32(in)
		if in = in[4:]; uint64(n) > uint64(len(in)) {
			return nil, errLZ4
		}
		var err error
		if out, err = decodeLZ4Block(out, in[:n]); err != nil {
			return nil, err
		}
		in = in[n:]
	}
	return out, nil
}

// decodeLZ4Block appends one block's contents to out (lz4, doc/lz4_Block_format.md). A block is a list of
// sequences: a token byte with two lengths, literal bytes, and a match that repeats earlier output of the same
// block. The last sequence ends after its literals.
func decodeLZ4Block(out, in []byte) ([]byte, error) {
	const minMatch = 4
	start := len(out)
	// length reads the extra bytes of a length whose four bits in the token are all ones.
	length := func(n int) (int, bool) {
		if n != 15 {
			return n, true
		}
		for len(in) > 0 {
			b := in[0]
			in = in[1:]
			if n += int(b); b != 255 {
				return n, true
			}
		}
		return 0, false
	}
	for len(in) > 0 {
		token := int(in[0])
		in = in[1:]
		literals, ok := length(token >> 4)
		if !ok || literals > len(in) {
			return nil, errLZ4
		}
		out = append(out, in[:literals]...)
		if in = in[literals:]; len(in) == 0 {
			return out, nil
		}
		if len(in) < 2 {
			return nil, errLZ4
		}
		distance := int(binary.LittleEndian.Uint16(in))
		in = in[2:]
		match, ok := length(token & 15)
		if !ok || distance == 0 || distance > len(out)-start {
			return nil, errLZ4
		}
		for match += minMatch; match > 0; { // a match may overlap what it produces
			from := out[len(out)-distance:]
			n := min(match, len(from))
			out = append(out, from[:n]...)
			match -= n
		}
	}
	return nil, errLZ4
}
