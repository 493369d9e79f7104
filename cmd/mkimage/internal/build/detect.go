package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/internal/cache"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// Which programs make system calls themselves, use files or sockets or check certificates
// is seen in their packages and sources. Looking costs as much as a build that finds nothing
// to do, so the answer is remembered together with the program that it was true
// of; as long as go build gives the same program, it holds.

// An answer is what is remembered.
type answer struct {
	Program string // Go build ID
	Needs   needs
	First   []string // packages that are initialized before all others
}

// needs are what a program does that not every image can serve.
type needs struct {
	Linux   bool // it makes system calls itself
	Sockets bool // it opens sockets, or links what may
	Roots   bool // it checks certificates, or links what may
	Files   bool // it names paths, or links what may
}

// modules are those that serve it. What is there already, or was decided by a
// setting, stays as it is.
func (n needs) modules(all []string, s config.Settings) []string {
	if n.Linux {
		all = with(all, linuxModule)
	}
	if s.Sockets == config.On || s.Sockets == config.Auto && n.Sockets {
		all = with(all, SocketModule)
	}
	if s.Roots != config.None && n.Roots {
		all = with(all, RootsModule)
	}
	// What programs ask of the network and of certificates has paths, too.
	paths := n.Files || UsesSockets(all, s) || slices.Contains(all, RootsModule)
	if s.FS == config.On || s.FS == config.Auto && paths || len(s.Files) > 0 {
		all = with(all, FilesModule)
	}
	if slices.Contains(all, linuxModule) && slices.Contains(all, FilesModule) {
		all = with(all, mapModule)
	}
	return ordered(all)
}

// UsesSockets reports whether modules have sockets, those of the program's own included.
func UsesSockets(modules []string, s config.Settings) bool {
	return slices.Contains(modules, SocketModule) || config.IsPath(s.Sockets)
}

// link links the program with the modules and those that it turns out to need. It
// returns the modules linked. Files of the settings go to a place on the disk, if
// that is not nil, else into the program.
func (b *Builder) link(ctx context.Context, c *Context, t *target, modules []string, s config.Settings, at *Place) (elf string, linked []string, err error) {
	places, err := config.Placements(s.Files)
	if err != nil {
		return "", nil, err
	}
	var files []File
	for _, p := range places {
		if files, err = AddTree(files, p.Host, p.Guest); err != nil {
			return "", nil, fmt.Errorf("--files: %w", err)
		}
	}
	if err := covered(files, s); err != nil {
		return "", nil, err
	}
	var extra map[string]string
	if at != nil && len(files) > 0 {
		extra, err = c.index(files, at)
	} else {
		extra, err = c.archive(files)
	}
	if err != nil {
		return "", nil, err
	}
	compile := func(a answer) (string, error) {
		linked = a.Needs.modules(modules, s)
		if err := b.AddRoots(c, linked, s.Roots); err != nil {
			return "", err
		}
		return b.compile(ctx, c, t, linked, a.First, extra)
	}
	look := func() (a answer) { // errors, if any, are go build's to tell
		var imports Imports
		a.Needs, imports = b.looks(ctx, c, modules, t.Args...)
		a.First = imports.first(a.Needs.modules(modules, s))
		return a
	}
	file := b.answerFile(c, t, modules)
	known := readAnswer(file)
	a := known
	if a.Program == "" {
		a = look()
	}
	if elf, err = compile(a); err != nil {
		return "", nil, err
	}
	if known.Program != "" {
		if known.Program == programID(elf) {
			return elf, linked, nil
		}
		if now := look(); now.Needs != a.Needs || !slices.Equal(now.First, a.First) {
			a = now
			if elf, err = compile(a); err != nil {
				return "", nil, err
			}
		}
	}
	if err := unordered(linked, a.First); err != nil {
		return "", nil, err
	}
	a.Program = programID(elf)
	return elf, linked, writeAnswer(file, a)
}

func (b *Builder) answerFile(c *Context, t *target, modules []string) string {
	h := cache.NewHash("needs: linux, sockets, roots, files with the program's own; what is first")
	h.Add(c.Dir, c.GoCmd)
	h.Add(c.Env...)
	h.Add(c.Flags...)
	h.Add(t.Args...)
	h.Add(modules...)
	h.Add(fmt.Sprint(c.High)) // another address, another program
	return filepath.Join(b.Cache, "answer", h.Name()+".json")
}

// readAnswer reads what is remembered; without a program, that is nothing.
func readAnswer(file string) (a answer) {
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &a) != nil {
		return answer{}
	}
	return a
}

func writeAnswer(file string, a answer) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return cache.File(file, data)
}

func programID(elf string) string {
	head, _, err := readHead(elf)
	if err != nil {
		return ""
	}
	return elfimage.BuildID(head)
}

// netPackage opens sockets for the standard library.
const netPackage = "net"

// looks reports what the packages that args name to go list, and what they link,
// need, and what all of these and the modules that may be linked with them import.
// If it cannot be told, that is nothing.
func (b *Builder) looks(ctx context.Context, c *Context, modules []string, args ...string) (n needs, imports Imports) {
	overlay, err := c.WriteOverlay(nil)
	if err != nil {
		return n, imports
	}
	list := func(args ...string) []gotool.Package {
		pkgs, _ := gotool.List(ctx, c.GoCmd, c.Dir, c.Env, slices.Concat(c.ListFlags(), []string{overlay, "-deps"}, args)...)
		return pkgs
	}
	pkgs := list(args...)
	for _, p := range pkgs {
		p.ImportPath = plainPath(p.ImportPath)
		switch {
		case p.Standard:
			n.Sockets = n.Sockets || p.ImportPath == netPackage
			n.Roots = n.Roots || p.ImportPath == rootsPackage
		case !isOurs(p.ImportPath):
			n.Linux = n.Linux || packageMakesCalls(p)
			n.Files = n.Files || packageNamesPaths(p)
			n.Sockets = n.Sockets || packageOpensSockets(p)
		}
	}
	if len(pkgs) == 0 {
		return n, imports
	}
	return n, importsOf(append(pkgs, list(slices.Concat(modules, lateModules)...)...))
}

// packageOpensSockets reports whether a package calls socket(2) by one of the two
// packages that have it.
func packageOpensSockets(p gotool.Package) bool {
	return (slices.Contains(p.Imports, "syscall") || slices.Contains(p.Imports, sysPackage)) && anyFile(p.Dir, p.GoFiles, opensSockets)
}

func opensSockets(src []byte) bool {
	return names(src, func(pkg, name string, called bool) bool {
		return called && (pkg == "syscall" || pkg == sysPackage) && (name == "Socket" || name == "Socketpair")
	})
}

// callPaths are functions of os and of what is like it that take a path or ask for one.
var callPaths = []string{
	"Chdir", "Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "DirFS", "Executable", "Getwd", "Lchown", "Link", "Linkat", "Lstat", "Mkdir", "MkdirAll", "MkdirTemp", "Mkdirat", "Mkfifo",
	"Mknod", "Mknodat", "NewFile", "Open", "OpenFile", "OpenInRoot", "OpenRoot", "Openat", "Openat2", "ReadDir", "ReadFile", "Readlink", "Readlinkat", "Remove", "RemoveAll", "Rename",
	"Renameat", "Renameat2", "Rmdir", "Stat", "Statfs", "Statx", "Fstatat", "Symlink", "Symlinkat", "TempDir", "TempFile", "Truncate", "Unlink", "Unlinkat", "UtimesNanoAt", "WriteFile",
}

// pathNames are those functions, by package: an importer is looked at. Of packages with nil it is the methods that count.
var pathNames = map[string][]string{
	"archive/zip":   {"OpenReader"},
	"debug/elf":     {"Open"},
	"go/parser":     {"ParseDir", "ParseFile"},
	"html/template": nil,
	"io/ioutil":     callPaths,
	"os":            callPaths,
	"os/exec":       {"LookPath"},
	"os/user":       {"Current", "Lookup", "LookupId", "LookupGroup", "LookupGroupId"},
	"path/filepath": {"Abs", "EvalSymlinks", "Glob", "Walk", "WalkDir"},
	"syscall":       callPaths,
	"text/template": nil,
	sysPackage:      callPaths,
}

// packageNamesPaths reports whether a package calls, or passes on, a function
// that takes a path or asks for one.
func packageNamesPaths(p gotool.Package) bool {
	has := func(i string) bool { _, ok := pathNames[i]; return ok }
	return slices.ContainsFunc(p.Imports, has) && anyFile(p.Dir, p.GoFiles, namesPaths)
}

// namesPaths looks at one file. Methods count, too, where their name says enough, as in template.New("x").ParseFiles.
func namesPaths(src []byte) bool {
	return names(src, func(pkg, name string, called bool) bool {
		return slices.Contains(pathNames[pkg], name) || called && (name == "ParseFiles" || name == "ParseGlob")
	})
}

// sysPackage is what nearly all programs that make system calls themselves use.
const sysPackage = "golang.org/x/sys/unix"

func packageMakesCalls(p gotool.Package) bool {
	if slices.Contains(p.Imports, sysPackage) {
		return true
	}
	if slices.Contains(p.Imports, "syscall") && anyFile(p.Dir, p.GoFiles, goCall) {
		return true
	}
	return anyFile(p.Dir, p.SFiles, asmCall)
}

// anyFile reports whether one of a package's files can be read and passes test.
func anyFile(dir string, names []string, test func([]byte) bool) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		data, err := os.ReadFile(filepath.Join(dir, name))
		return err == nil && test(data)
	})
}

// noCalls are names of package syscall that look like calls but are conversions,
// or calls that libos/posix serves alone because the standard library makes them
// too.
var noCalls = map[string]bool{
	"Errno": true, "Signal": true, "Exit": true, "Getenv": true, "Getpagesize": true, "Getpid": true, "Getppid": true,
	"Getuid": true, "Geteuid": true, "Getgid": true, "Getegid": true, "Kill": true, "NsecToTimespec": true,
	"NsecToTimeval": true, "BytePtrFromString": true, "ByteSliceFromString": true, "WaitStatus": true,
	"Close": true, "Read": true, "Write": true, "Open": true, "Stat": true, "Fstat": true, "Lstat": true,
}

// goCall reports whether Go source calls a function of package syscall that may
// need more than the standard library does. To find one too many costs bytes, to
// miss one costs ENOSYS.
func goCall(src []byte) bool {
	return names(src, func(pkg, name string, called bool) bool {
		return called && pkg == "syscall" && !noCalls[name]
	})
}

var asmPattern = regexp.MustCompile(`(?m)^\s*(?:\w+:\s*)?(SYSCALL|INT\s+\$0x80)\b`)

// asmCall reports whether assembly has a system call instruction of its own.
func asmCall(src []byte) bool {
	return bytes.Contains(src, []byte("SYSCALL")) && asmPattern.Match(src)
}
