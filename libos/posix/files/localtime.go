package files

// localtime is /etc/localtime: UTC, as RFC 9636 writes a zone. Of version 2, so both of its parts are there: each a header with six counts, one type of local time (no
// offset, not daylight saving) and its name. A program's TZ says something else.
func localtime() []byte {
	part := "TZif2" + zeroes[:15] + // 3.1
		zeroes[:16] + "\x00\x00\x00\x01" + "\x00\x00\x00\x04" + // no UT and standard indicators, leap seconds and transitions; one type, four bytes of names
		zeroes[:6] + "UTC\x00" // 3.2
	return []byte(part + part + "\nUTC0\n") // 3.3
}

const zeroes = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
