package qemu

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// OutboxPath is the folder in the image whose files go to an Outbox
// (libos/posix/outbox).
const OutboxPath = "/outbox"

// An Outbox is the folder on the host that follows the image's.
type Outbox struct {
	Dir string

	err error // the first that happened: one message is enough
}

// apply does to the host's file what the image did to its own. It returns an
// error once.
func (o *Outbox) apply(rec record) error {
	if o == nil || o.err != nil {
		return nil
	}
	o.err = o.change(rec)
	return o.err
}

func (o *Outbox) change(rec record) error {
	words := strings.Split(rec.rest, " ")
	if len(words) < 2 {
		return fmt.Errorf("record %q", rec.rest)
	}
	name, err := o.path(words[1])
	if err != nil {
		return err
	}
	switch verb := words[0]; {
	case verb == "create" && len(words) == 2:
		return os.WriteFile(name, nil, 0o666)
	case verb == "remove" && len(words) == 2:
		return os.Remove(name)
	case verb == "size" && len(words) == 3:
		size, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			return err
		}
		return os.Truncate(name, size)
	case verb == "rename" && len(words) == 3:
		to, err := o.path(words[2])
		if err != nil {
			return err
		}
		return os.Rename(name, to)
	case verb == "data" && len(words) == 4:
		off, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(rec.data, off); err != nil {
			f.Close()
			return err
		}
		return f.Close()
	}
	return fmt.Errorf("record %q", rec.rest)
}

// path returns the host's name for a file of the image's, which may not lead out
// of the folder, whatever the image says.
func (o *Outbox) path(name string) (string, error) {
	if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\:`) || name == "." {
		return "", fmt.Errorf("%q is not a file name", name)
	}
	return filepath.Join(o.Dir, name), nil
}
