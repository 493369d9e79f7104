package elfimage

import (
	"bytes"
	"cmp"
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// modulePath is the prefix of the import paths that are ours.
const modulePath = "github.com/hardtack-os/hardtack"

// Names of the groups that are not packages of ours.
const (
	groupBottom  = "runtime (bottom half)"
	groupRuntime = "runtime"
	groupStd     = "standard library"
	groupApp     = "application"
	groupData    = "types and strings"
)

// Measure returns how many bytes each part of a linked program takes in the
// image, largest first. The symbol table tells it; of a stripped program only
// the functions are known.
func Measure(in []byte) (groups []Group, err error) {
	// debug/elf and debug/gosym are not proof against every damaged file.
	defer func() {
		if r := recover(); r != nil {
			groups, err = nil, fmt.Errorf("damaged symbol table: %v", r)
		}
	}()
	f, err := elf.NewFile(bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	funcs, err := functions(f)
	if err != nil {
		return nil, err
	}
	sizes := map[string]uint64{}
	if syms, err := f.Symbols(); err == nil {
		for _, s := range syms {
			sizes[group(s.Name, funcs[s.Value])] += imageBytes(f, s)
		}
	} else {
		for _, fn := range funcs {
			sizes[group(fn.Name, fn)] += fn.End - fn.Entry
		}
	}
	for name, n := range sizes {
		if n > 0 {
			groups = append(groups, Group{name, n})
		}
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	return groups, nil
}

// EntrySymbol returns the name of the function at the program's entry point.
func EntrySymbol(in []byte) (name string, err error) {
	defer func() {
		if r := recover(); r != nil {
			name, err = "", fmt.Errorf("damaged symbol table: %v", r)
		}
	}()
	f, err := elf.NewFile(bytes.NewReader(in))
	if err != nil {
		return "", err
	}
	funcs, err := functions(f)
	if err != nil {
		return "", err
	}
	if fn := funcs[f.Entry]; fn != nil {
		return fn.Name, nil
	}
	return "", errors.New("no function at the entry point")
}

// A function is one entry of the Go function table.
type function struct {
	Name       string
	Entry, End uint64
	bottom     bool // written in a file of ours that is part of package runtime
}

// functions reads the Go function table, which even a stripped program has.
func functions(f *elf.File) (map[uint64]*function, error) {
	text, pcln := f.Section(".text"), f.Section(".gopclntab")
	if text == nil || pcln == nil {
		return nil, errors.New("no Go function table")
	}
	data, err := pcln.Data()
	if err != nil {
		return nil, err
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return nil, err
	}
	funcs := make(map[uint64]*function, len(table.Funcs))
	for i := range table.Funcs {
		fn := &table.Funcs[i]
		e := &function{Name: fn.Name, Entry: fn.Entry, End: max(fn.End, fn.Entry)}
		if isRuntime(symbolPackage(fn.Name)) {
			file, _, _ := table.PCToLine(fn.Entry)
			e.bottom = strings.HasPrefix(path.Base(file), "exo_")
		}
		funcs[fn.Entry] = e
	}
	return funcs, nil
}

// imageBytes returns how much of the image a symbol takes: nothing if it is
// zeroed memory or has no place in memory at all.
func imageBytes(f *elf.File, s elf.Symbol) uint64 {
	i := int(s.Section)
	if i <= 0 || i >= len(f.Sections) {
		return 0
	}
	if sec := f.Sections[i]; sec.Type == elf.SHT_NOBITS || sec.Flags&elf.SHF_ALLOC == 0 || s.Size > sec.Size {
		return 0
	}
	return s.Size
}

// group tells which part of the program a symbol belongs to. fn is its entry in
// the function table, nil for data.
func group(name string, fn *function) string {
	pkg := symbolPackage(name)
	first, _, _ := strings.Cut(pkg, "/")
	switch {
	case fn != nil && fn.bottom, strings.HasPrefix(name, "runtime.exo"), name == "_exo_start":
		return groupBottom
	case isRuntime(pkg):
		return groupRuntime
	case strings.HasPrefix(pkg, modulePath+"/exo"), strings.HasPrefix(pkg, modulePath+"/libos/"):
		return ourGroup(strings.TrimPrefix(pkg, modulePath+"/"))
	case pkg == "":
		return groupData
	case pkg == "main", strings.Contains(first, "."):
		return groupApp
	}
	return groupStd
}

// ourGroup names the module that a package of ours, relative to our module,
// belongs to: "libos/posix/internal/x" to "libos/posix", "exo/pci" to "exo".
func ourGroup(rel string) string {
	rel, _, _ = strings.Cut(rel, "/internal/")
	if strings.HasPrefix(rel, "exo/") {
		return "exo"
	}
	return rel
}

func isRuntime(pkg string) bool {
	return pkg == "runtime" || strings.HasPrefix(pkg, "runtime/internal/") || strings.HasPrefix(pkg, "internal/runtime/")
}

// symbolPackage returns the import path in a Go symbol's name, "" if it has
// none: the part up to the first dot after the last slash, generic arguments
// and receivers left aside.
func symbolPackage(name string) string {
	if strings.HasPrefix(name, "type:") || strings.HasPrefix(name, "go:") {
		return ""
	}
	if i := strings.IndexAny(name, "[("); i >= 0 {
		name = name[:i]
	}
	slash := strings.LastIndexByte(name, '/') + 1
	dot := strings.IndexByte(name[slash:], '.')
	if dot < 0 {
		return ""
	}
	return strings.ReplaceAll(name[:slash+dot], "%2e", ".")
}

// GroupOf returns the name of the group that a libOS module's bytes are counted in.
func GroupOf(module string) string { return group(module+".", nil) }
