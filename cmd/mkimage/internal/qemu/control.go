package qemu

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// A record is one line of the control channel, and what follows it.
type record struct {
	verb, rest string
	data       []byte // of a file record that carries some; valid during the call
}

// Verbs of the control channel.
const (
	verbExit    = "exit"
	verbCall    = "call"
	verbMissing = "missing"
	verbStdin   = "stdin" // the program reads its standard input from now on
	verbFile    = "file"  // a file in the outbox changes
)

// parseRecord splits a line.
func parseRecord(line string) record {
	verb, rest, _ := strings.Cut(line, " ")
	return record{verb: verb, rest: rest}
}

// maxData is more than one record ever carries. What claims more is not ours.
const maxData = 64 << 10

// dataLen returns how many bytes, and a newline, follow the record's line.
func (r record) dataLen() (int, bool) {
	if r.verb != verbFile || !strings.HasPrefix(r.rest, "data ") {
		return 0, false
	}
	n, err := strconv.Atoi(r.rest[strings.LastIndexByte(r.rest, ' ')+1:])
	return n, err == nil && 0 <= n && n <= maxData
}

// exitCode returns the exit code in an exit record.
func (r record) exitCode() (int, bool) {
	if r.verb != verbExit {
		return 0, false
	}
	n, err := strconv.Atoi(r.rest)
	return n & 0xff, err == nil
}

// pollEvery is how often the growing control file is looked at.
const pollEvery = 20 * time.Millisecond

// follow calls handle for each record of the file at path, as they are written,
// until ctx is done and all that is there has been handled. A file, unlike a
// pipe or socket, never makes the image wait and works on every system.
func follow(ctx context.Context, path string, handle func(record)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var partial []byte
	buf := make([]byte, 64<<10)
	for {
		ended := ctx.Err() != nil // asked before reading: nothing is written after the end
		for {
			n, err := f.Read(buf)
			partial = handleLines(append(partial, buf[:n]...), handle)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
}

// handleLines handles the complete records in b and returns the rest.
func handleLines(b []byte, handle func(record)) []byte {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return b
		}
		rec, end := parseRecord(strings.TrimSuffix(string(b[:i]), "\r")), i+1
		if n, ok := rec.dataLen(); ok {
			if end+n+1 > len(b) {
				return b
			}
			rec.data = b[end : end+n]
			end += n + 1
		}
		handle(rec)
		b = b[end:]
	}
}
