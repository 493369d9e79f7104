// Package config holds what a user can set, and reads it from libos.toml. The
// command line fills the same structure; package cli lets a flag win.
package config

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Settings are what flags and libos.toml can set. The zero value of a field
// means that nobody set it.
type Settings struct {
	Args    []string // of the program
	Env     []string // NAME=VALUE; the last one of a name wins
	Memory  Size
	CPUs    int
	Machine string   // QEMU's name of the machine
	Accel   string   // auto, tcg or kvm
	Modules []string // libOS modules, as "libos/entropy" or an import path

	Sched   string   // which goroutine runs next, as "go", "stride" or an import path
	VM      string   // frame allocator, as "buddy" or an import path
	Sockets string   // whether sockets are linked: Auto, On or Off; or the import path of a module that has them
	Roots   string   // certificate authorities: Auto, None or a PEM file
	FS      string   // whether files are linked: Auto, On or Off; or the import path of a module that has them
	Files   []string // folders and files to put into the image, as "FOLDER" or "FOLDER:/PATH"
	Disks   []string // files of the host that are the machine's disks, as "FILE:/PATH"
	Mounts  []string // volumes that are found by their names, as "label=data:/data"
	Built   string   // what an image that is there mounts where (DisksWord), if disks or mounts are said anew
	Net     []string // the machine's network cards, each "user" or "tap=NAME"; "none" alone; nothing is user for programs that use sockets
	Publish []string // ports of the host that lead to the image's, as "8080:80" or "127.0.0.1:5353:53/udp"
	IP      []string // how the image's network cards are set up (libos/net/setup): "dhcp", "off", or an address and what belongs to it, behind CARD= if need be

	HostName string // what the image calls itself
	Netstat  string // port that shows the image's network to who asks

	NTP []string // time servers that set the clock, as names or addresses, with a port if it is another than NTP's

	Ephemeral bool // what is written to disks is forgotten

	PageCache string // what the page cache of volumes may have, and what is never taken from it: MOST[,LEAST]

	TraceCalls   bool // print each call that the program makes
	MissingCalls bool // print each call that was refused

	Go []string // flags for go build, each as "-name=value"
}

// Defaults are used where neither a flag nor libos.toml says anything.
var Defaults = Settings{
	Memory:  256 << 20,
	CPUs:    1,
	Machine: "microvm",
	Accel:   "auto",
	Sockets: Auto,
	Roots:   Auto,
	FS:      Auto,
}

// Home is what the environment of every image begins with: root's folder, as the image's /etc/passwd has it. Who sets another one wins.
const Home = "HOME=/root"

// Values of Settings.Sockets, Settings.FS and Settings.Roots.
const (
	Auto = "auto" // if the program uses them
	On   = "on"
	Off  = "off"
	None = "none"
)

// IsPath reports whether what names a module is an import path: neither one word, nor below libos, as ours are named.
func IsPath(name string) bool {
	first, _, below := strings.Cut(name, "/")
	return strings.Contains(first, ".") || below && first != "libos"
}

// RootsFile reports whether the certificate authorities are those of a file.
func (s Settings) RootsFile() bool { return s.Roots != "" && s.Roots != Auto && s.Roots != None }

// MaxCPUs is how many processors the runtime's bottom half can start.
const MaxCPUs = 64

// Or returns s with what it leaves unset taken from t. Lists in which later
// entries win are joined, t's first.
func (s Settings) Or(t Settings) Settings {
	s.Env = append(append([]string(nil), t.Env...), s.Env...)
	s.Go = append(append([]string(nil), t.Go...), s.Go...)
	if s.Args == nil {
		s.Args = t.Args
	}
	if s.Modules == nil {
		s.Modules = t.Modules
	}
	if s.Memory == 0 {
		s.Memory = t.Memory
	}
	if s.CPUs == 0 {
		s.CPUs = t.CPUs
	}
	if s.VM == "" {
		s.VM = t.VM
	}
	if s.Sched == "" {
		s.Sched = t.Sched
	}
	if s.Sockets == "" {
		s.Sockets = t.Sockets
	}
	if s.Roots == "" {
		s.Roots = t.Roots
	}
	if s.FS == "" {
		s.FS = t.FS
	}
	if s.Files == nil {
		s.Files = t.Files
	}
	if s.Disks == nil {
		s.Disks = t.Disks
	}
	if s.Mounts == nil {
		s.Mounts = t.Mounts
	}
	s.Ephemeral = s.Ephemeral || t.Ephemeral
	if s.PageCache == "" {
		s.PageCache = t.PageCache
	}
	if s.IP == nil {
		s.IP = t.IP
	}
	if s.Netstat == "" {
		s.Netstat = t.Netstat
	}
	if s.HostName == "" {
		s.HostName = t.HostName
	}
	if s.NTP == nil {
		s.NTP = t.NTP
	}
	if s.Net == nil {
		s.Net = t.Net
	}
	if s.Publish == nil {
		s.Publish = t.Publish
	}
	if s.Machine == "" {
		s.Machine = t.Machine
	}
	if s.Accel == "" {
		s.Accel = t.Accel
	}
	s.TraceCalls = s.TraceCalls || t.TraceCalls
	s.MissingCalls = s.MissingCalls || t.MissingCalls
	return s
}

// Check refuses values that no machine can have. Zero values pass.
func (s Settings) Check() error {
	if s.CPUs != 0 {
		if err := CheckCPUs(s.CPUs); err != nil {
			return err
		}
	}
	if err := oneOf("machine", s.Machine, "microvm", "q35", "pc"); err != nil {
		return err
	}
	if err := CheckIP(s.IP); err != nil {
		return err
	}
	if err := CheckHostName(s.HostName); err != nil {
		return err
	}
	if err := CheckPageCache(s.PageCache); err != nil {
		return err
	}
	if err := CheckNetstat(s.Netstat); err != nil {
		return err
	}
	if err := CheckNTP(s.NTP); err != nil {
		return err
	}
	if err := CheckNet(s.Net); err != nil {
		return err
	}
	if _, err := Ports(s.Publish); err != nil {
		return err
	}
	if s.RootsFile() {
		if _, err := os.Stat(s.Roots); err != nil {
			return fmt.Errorf("certificate authorities: want auto, none or a PEM file: %w", err)
		}
	}
	if err := oneOf("value of sockets", s.Sockets, Auto, On, Off); err != nil && !IsPath(s.Sockets) {
		return fmt.Errorf("%w, or a package's import path", err)
	}
	if err := oneOf("value of fs", s.FS, Auto, On, Off); err != nil && !IsPath(s.FS) {
		return fmt.Errorf("%w, or a package's import path", err)
	}
	if _, err := Placements(s.Files); err != nil {
		return err
	}
	if _, err := s.DiskList(); err != nil {
		return err
	}
	if err := checkMounts(s.Mounts); err != nil {
		return err
	}
	return oneOf("accelerator", s.Accel, "auto", "tcg", "kvm")
}

// CheckCPUs refuses a number of processors that no machine can have.
func CheckCPUs(n int) error {
	if n < 1 || n > MaxCPUs {
		return fmt.Errorf("%d CPUs: an image runs on 1 to %d", n, MaxCPUs)
	}
	return nil
}

func oneOf(what, got string, allowed ...string) error {
	for _, a := range allowed {
		if got == a || got == "" {
			return nil
		}
	}
	return fmt.Errorf("unknown %s %q: want %s", what, got, strings.Join(allowed, ", "))
}

// A Size is a number of bytes, written as 64M, 1G, or bytes alone.
type Size int64

// leastBytes is where bytes alone begin to be believed. QEMU takes a number
// alone for megabytes, so that is what a small one will have meant.
const leastBytes = 1 << 20

// maxSize is more than any machine, disk or file has.
const maxSize = 1 << 62

// The sizes of the suffixes.
var suffixes = map[byte]Size{'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}

// ParseSize reads a size. A suffix may be lower case and followed by "B" or "iB".
func ParseSize(text string) (Size, error) {
	s := strings.ToUpper(text)
	s = strings.TrimSuffix(strings.TrimSuffix(s, "B"), "I")
	unit := Size(1)
	if n := len(s); n > 0 && suffixes[s[n-1]] != 0 {
		unit, s = suffixes[s[n-1]], s[:n-1]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) && n > 0 || err == nil && Size(n) > maxSize/unit {
		return 0, fmt.Errorf("%q is too large: %s is the most", text, Size(maxSize))
	}
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not a size: want a number with K, M, G or T, as in 64M", text)
	}
	if unit == 1 && n < leastBytes {
		return 0, fmt.Errorf("%s is a number of bytes, too few: did you mean %sM?", text, s)
	}
	return Size(n) * unit, nil
}

// String writes the size with the largest suffix that keeps it exact.
func (s Size) String() string {
	for _, c := range []byte("TGMK") {
		if u := suffixes[c]; s >= u && s%u == 0 {
			return fmt.Sprintf("%d%c", s/u, c)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Set reads a size from a flag.
func (s *Size) Set(text string) (err error) {
	*s, err = ParseSize(text)
	return err
}

// Type names the kind of value in help texts.
func (s *Size) Type() string { return "size" }
