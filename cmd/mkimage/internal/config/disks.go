package config

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Disk is a file of the host that the machine has as a disk.
type Disk struct {
	File     string
	Path     string // where its volume is mounted; "" for nowhere
	Format   bool   // put a volume on it if it is empty
	Kind     string // of which filesystem of the program's own; "" for cffs
	ReadOnly bool
	MMP      bool   // another image that is given it is refused while this one runs
	Raw      bool   // it is mounted nowhere: the program opens its node in /dev
	Bus      string // BusVirtio, BusSCSI or BusNVMe; "" for virtio
}

// What a disk is behind.
const (
	BusVirtio = "virtio" // a virtio block device of its own
	BusSCSI   = "scsi"   // a unit of the machine's one virtio-scsi controller
	BusNVMe   = "nvme"   // a namespace of an NVMe controller of its own
)

// DataPath is where the volume of a disk is mounted if nothing says where.
const DataPath = "/data"

// MaxDisks is how many disks a machine may have: microvm has eight places for virtio devices, some of which are in use.
const MaxDisks = 5

// formatKind is an option that says what is to be put on an empty disk.
var formatKind = regexp.MustCompile(`,format=([A-Za-z0-9_-]+)$`)

// busOption is an option that says what a disk is behind.
var busOption = regexp.MustCompile(`,bus=([^,:/]*)$`)

// DiskList reads Settings.Disks: FILE[:/PATH][,format[=KIND]][,ro][,mmp][,raw][,bus=BUS]. Without a path and ",raw" the volume is where the disk of the same number was when the image was built, and else at DataPath, if
// no volume is mounted by its name: then that says where. A disk that it does not find has no place.
func (s Settings) DiskList() (list []Disk, err error) {
	at := map[string]bool{}
	named := slices.ContainsFunc(s.Mounts, func(v string) bool { return !inMemory(v) })
	places := map[int]place{}
	for _, b := range builtPlaces(s.Built) {
		if b.disk < 0 {
			named = named || !inMemory(b.word)
		} else {
			places[b.disk] = b
		}
	}
	for i, v := range s.Disks {
		d, err := readDisk(v)
		if err != nil {
			return nil, err
		}
		if was, ok := places[i]; d.Path == "" && ok && !d.Raw {
			d.Path, d.Format, d.ReadOnly = was.path, d.Format || was.format, d.ReadOnly || was.readOnly
			d.MMP = d.MMP || was.mmp
			if d.Kind == "" {
				d.Kind = was.kind
			}
		} else if d.Path == "" && !named && !d.Raw {
			d.Path = DataPath
		}
		if d.Path != "" && at[d.Path] {
			return nil, fmt.Errorf("disk %q: two disks are to be at %s: say where by FILE:/PATH", v, d.Path)
		}
		at[d.Path] = d.Path != ""
		list = append(list, d)
	}
	if len(list) > MaxDisks {
		return nil, fmt.Errorf("%d disks: a machine has at most %d", len(list), MaxDisks)
	}
	return list, nil
}

// readDisk reads one of Settings.Disks; the path is empty where none is said.
func readDisk(v string) (Disk, error) {
	d := Disk{File: v}
	for {
		rest, isFormat := strings.CutSuffix(d.File, ",format")
		if m := formatKind.FindStringSubmatch(rest); m != nil {
			rest, isFormat, d.Kind = strings.TrimSuffix(rest, m[0]), true, m[1]
		}
		rest, isRO := strings.CutSuffix(rest, ",ro")
		rest, isMMP := strings.CutSuffix(rest, ",mmp")
		rest, isRaw := strings.CutSuffix(rest, ",raw")
		bus := busOption.FindStringSubmatch(rest)
		if bus != nil {
			if rest, d.Bus = strings.TrimSuffix(rest, bus[0]), bus[1]; d.Bus != BusVirtio && d.Bus != BusSCSI && d.Bus != BusNVMe {
				return d, fmt.Errorf("disk %q: there is no bus %q: want virtio, scsi or nvme", v, d.Bus)
			}
		}
		if d.File = rest; !isFormat && !isRO && !isMMP && !isRaw && bus == nil {
			break
		}
		d.Format, d.ReadOnly, d.MMP, d.Raw = d.Format || isFormat, d.ReadOnly || isRO, d.MMP || isMMP, d.Raw || isRaw
	}
	if i := strings.LastIndex(d.File, ":/"); i > len(filepath.VolumeName(d.File)) { // C:/x is a path of Windows
		d.File, d.Path = d.File[:i], path.Clean(d.File[i+1:])
	}
	if d.File == "" || d.Path == "/" || strings.ContainsAny(d.Path, ",;\x00") {
		return d, fmt.Errorf("disk %q: want FILE or FILE:/PATH, as data.img:/data, with ,format, ,format=KIND, ,ro, ,mmp, ,raw or ,bus=virtio|scsi|nvme behind it if need be; the root cannot be a volume", v)
	}
	if taken(d.Path) {
		return d, fmt.Errorf("disk %q: %s", v, takenWhy)
	}
	if d.Raw && (d.Path != "" || d.Format || d.MMP) {
		return d, fmt.Errorf("disk %q: ,raw says that it is not mounted: leave out the path, ,format and ,mmp, or ,raw", v)
	}
	return d, nil
}

// taken says whether a path is one that nothing can be mounted at (libos/fs/volumes refuses it, too). /dev/shm and others below /dev are not.
func taken(path string) bool {
	return path == "/dev" || path == "/proc" || path == "/sys" || strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
}

const takenWhy = "the image has /dev, /proc and /sys of its own: say another path"

// A place is where an image mounts a volume, as it was built.
type place struct {
	word     string // of all of it, as on the command line
	disk     int    // which of the machine's it is, -1 where it is found by what it is called
	path     string
	format   bool
	kind     string
	readOnly bool
	mmp      bool
}

// builtPlaces reads the word that DisksWord has written.
func builtPlaces(word string) (list []place) {
	for _, v := range strings.Split(word, ";") {
		which, rest, ok := strings.Cut(v, ":/")
		if !ok {
			continue
		}
		p := place{word: v, disk: -1}
		for i := range MaxDisks {
			if which == "serial="+DiskSerial(i) {
				p.disk = i
			}
		}
		where, flags, _ := strings.Cut(rest, ",")
		p.path = path.Clean("/" + where)
		for _, f := range strings.Split(flags, ",") {
			kind, named := strings.CutPrefix(f, "format=")
			p.format, p.readOnly = p.format || named || f == "format", p.readOnly || f == "ro"
			p.mmp = p.mmp || f == "mmp"
			if named {
				p.kind = kind
			}
		}
		list = append(list, p)
	}
	return list
}

// MountPaths is where the volumes of Settings.Disks and Settings.Mounts are mounted, those of a disk that names no path aside.
func (s Settings) MountPaths() (list []string) {
	word, err := s.DisksWord()
	if err != nil {
		return nil // others tell
	}
	for _, p := range builtPlaces(word) {
		list = append(list, p.path)
	}
	return list
}

// WithSlash is what somebody will have meant who wrote FILE:PATH and forgot the slash that a path in a volume begins with; "" where nothing says so.
func WithSlash(arg string) string {
	i := strings.LastIndexByte(arg, ':')
	if i < 1 || isThere(arg) || !isThere(arg[:i]) {
		return ""
	}
	return arg[:i] + ":/" + arg[i+1:]
}

func isThere(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// checkMounts refuses what the image would refuse (libos/fs/volumes reads it there).
func checkMounts(list []string) error {
	for _, v := range list {
		if inMemory(v) {
			word, err := memoryWord(v)
			if err != nil {
				return err
			}
			if where, _, _ := strings.Cut(strings.TrimPrefix(word, "mem:"), ","); taken(where) {
				return fmt.Errorf("mount %q: %s", v, takenWhy)
			}
			continue
		}
		rest, flags, _ := strings.Cut(v, ",")
		ok := true
		for _, f := range strings.Split(flags, ",") {
			ok = ok && (f == "" || f == "format" || f == "ro" || f == "mmp" || formatKind.MatchString(","+f))
		}
		which, where, found := strings.Cut(rest, ":/")
		by, name, named := strings.Cut(which, "=")
		if disk, part, is := strings.Cut(which, "p"); !named {
			_, err := strconv.ParseUint(disk, 10, 16)
			if err == nil && is {
				_, err = strconv.ParseUint(part, 10, 16)
			}
			ok = ok && err == nil
		} else {
			ok = ok && (by == "serial" || by == "label" || by == "uuid" || by == "part" || by == "partuuid") && name != ""
		}
		if !ok || !found || path.Clean("/"+where) == "/" || strings.ContainsAny(v, ";\x00") {
			return fmt.Errorf("mount %q: want WHICH:/PATH, as label=data:/data, with ,format, ,format=KIND, ,ro or ,mmp behind it if need be; WHICH is label=, uuid=, serial=, part= or partuuid=NAME, or a disk's number, 0, or a partition's, 0p1; or mem:/PATH,size=64M for files in memory", v)
		}
		if taken(path.Clean("/" + where)) {
			return fmt.Errorf("mount %q: %s", v, takenWhy)
		}
	}
	return nil
}

// inMemory says whether a mount is of files in memory: mem:/PATH[,size=SIZE].
func inMemory(mount string) bool { return strings.HasPrefix(mount, "mem:/") }

// memoryWord is such a mount as the image reads it.
func memoryWord(mount string) (string, error) {
	where, option, sized := strings.Cut(strings.TrimPrefix(mount, "mem:"), ",")
	word := "mem:" + path.Clean(where)
	bad := fmt.Errorf("mount %q: want mem:/PATH or mem:/PATH,size=SIZE, as mem:/tmp,size=64M; at / a size must be said", mount)
	if strings.ContainsAny(mount, ";\x00") || !sized && word == "mem:/" {
		return "", bad
	}
	if !sized {
		return word, nil
	}
	text, is := strings.CutPrefix(option, "size=")
	n, err := ParseSize(text)
	if !is || err != nil || n < 4096 {
		return "", bad
	}
	return word + ",size=" + strconv.FormatInt(int64(n)/1024, 10) + "K", nil
}

// lookWord has an image look for its disks, whatever it mounts.
const lookWord = "look"

// DisksWord is the image's setting of that name: what is mounted where. What the image was built with stays, behind what the settings say, but for what they say anew: a path, the path of a disk of the same number, all
// mounts. An image that was built to look for its disks does so still.
func (s Settings) DisksWord() (string, error) {
	disks, err := s.DiskList()
	if err != nil {
		return "", err
	}
	var words []string
	for _, v := range s.Mounts {
		if inMemory(v) {
			if v, err = memoryWord(v); err != nil {
				return "", err
			}
		}
		words = append(words, v)
	}
	look := slices.Contains(strings.Split(s.Built, ";"), lookWord)
	for i, d := range disks {
		look = look || d.Raw
		if d.Path == "" {
			continue
		}
		w := "serial=" + DiskSerial(i) + ":" + d.Path
		if d.Format {
			w += ",format"
			if d.Kind != "" {
				w += "=" + d.Kind
			}
		}
		if d.ReadOnly {
			w += ",ro"
		}
		if d.MMP {
			w += ",mmp"
		}
		words = append(words, w)
	}
	said := builtPlaces(strings.Join(words, ";"))
	for _, b := range builtPlaces(s.Built) {
		again := b.disk < 0 && s.Mounts != nil
		for _, p := range said {
			again = again || p.path == b.path || b.disk >= 0 && p.disk == b.disk
		}
		again = again || b.disk >= 0 && b.disk < len(disks) && disks[b.disk].Raw
		if !again {
			words = append(words, b.word)
		}
	}
	if look {
		words = append(words, lookWord)
	}
	return strings.Join(words, ";"), nil
}

// DiskSerial is the serial number of a machine's disk.
func DiskSerial(i int) string { return "disk" + strconv.Itoa(i) }
