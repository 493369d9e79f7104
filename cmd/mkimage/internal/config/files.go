package config

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// A Placement is a folder or file of the host, and where it is in the image.
type Placement struct{ Host, Guest string }

// Placements reads what is to be put into an image: FOLDER[:/PATH], PATH "/" if it is left out.
func Placements(list []string) (all []Placement, err error) {
	for _, v := range list {
		host, guest := v, "/"
		if i := strings.LastIndex(v, ":/"); i > len(filepath.VolumeName(v)) { // C:/x is a path of Windows
			host, guest = v[:i], v[i+1:]
		}
		if host == "" || strings.ContainsRune(guest, 0) {
			return nil, fmt.Errorf("files %q: want FOLDER or FOLDER:/PATH, as static:/srv/www", v)
		}
		all = append(all, Placement{host, path.Clean(guest)})
	}
	return all, nil
}
