package fat

import (
	"strings"
	"syscall"
	"unicode/utf16"
	"unicode/utf8"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// A short name as it lies in an entry: eight and three bytes, padded by spaces (FAT, 6.1).
type short [11]byte

// plain are what a short name may have beside letters and digits.
const plain = "!#$%&'()-@^_`{}~"

// checkName refuses what no name can be, and gives it as it is stored.
func checkName(name string) ([]uint16, core.Errno) {
	if !utf8.ValidString(name) || strings.ContainsAny(name, "\"*:<>?\\|") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
		return nil, syscall.EINVAL
	}
	u := utf16.Encode([]rune(name))
	if len(u) > 255 {
		return nil, syscall.ENAMETOOLONG
	}
	return u, 0
}

func (s short) String() string {
	if s[0] == 0x05 {
		s[0] = 0xe5
	}
	oem := func(b []byte) string {
		out := make([]rune, 0, 8)
		for _, c := range b {
			if c >= 0x80 || c < ' ' || c == '/' { // of a code page that nobody says
				c = '_'
			}
			out = append(out, rune(c))
		}
		return strings.TrimRight(string(out), " ")
	}
	name, ext := oem(s[:8]), oem(s[8:])
	if ext != "" {
		name += "." + ext
	}
	return name
}

// sum is the checksum that long entries have of the short one: FAT, 7.2.
func (s short) sum() (v byte) {
	for _, c := range s {
		v = v>>1 | v<<7
		v += c
	}
	return v
}

// exact gives the short name that a name is, without a long one.
func exact(name string) (s short, ok bool) {
	base, ext, _ := strings.Cut(name, ".")
	if base == "" || len(base) > 8 || len(ext) > 3 || strings.HasSuffix(name, ".") {
		return s, false
	}
	for _, c := range []byte(base + ext) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(plain, rune(c)) || c >= 0x80 {
			return s, false
		}
	}
	copy(s[:], "           ")
	copy(s[:8], base)
	copy(s[8:], ext)
	return s, true
}

// alias makes a short name for one that has a long name, the n-th to try (FAT, 7.4).
func alias(name string, n int) (s short) {
	clean := func(part string, most int) string {
		out := make([]byte, 0, most)
		for _, r := range strings.ToUpper(part) {
			switch {
			case r == ' ' || r == '.':
				continue
			case r >= 0x80 || (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(plain, r):
				r = '_'
			}
			if len(out) < most {
				out = append(out, byte(r))
			}
		}
		return string(out)
	}
	name = strings.TrimLeft(name, ".")
	base, ext := name, ""
	if i := strings.LastIndex(name, "."); i > 0 {
		base, ext = name[:i], name[i+1:]
	}
	tail := "~" + decimal(n)
	b := clean(base, 8-len(tail))
	if b == "" {
		b = "_"
	}
	copy(s[:], "           ")
	copy(s[:8], b+tail)
	copy(s[8:], clean(ext, 3))
	return s
}

// tail gives the number of a short name that alias may have made, and the name with the first number of so many digits; 0 where there is none.
func (s short) tail() (key short, n int) {
	base := strings.TrimRight(string(s[:8]), " ")
	i := strings.LastIndexByte(base, '~')
	if i < 0 || i+1 == len(base) || base[i+1] == '0' {
		return s, 0
	}
	key = s
	for j := i + 1; j < len(base); j++ {
		if base[j] < '0' || base[j] > '9' {
			return s, 0
		}
		n = n*10 + int(base[j]-'0')
		key[j] = '0'
	}
	key[i+1] = '1'
	return key, n
}

func decimal(v int) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			return string(b[i:])
		}
	}
}

// units is where the characters of a long entry are: FAT, 7.1.
var units = [13]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}
