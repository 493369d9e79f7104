// Command addresses asks what is in memory, and says what it was told: on every filesystem of every kernel the same.
//
//	addresses FOLDER...
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const page = 4096

const (
	read, write     = syscall.PROT_READ, syscall.PROT_WRITE
	shared, private = syscall.MAP_SHARED, syscall.MAP_PRIVATE
	anonymous       = syscall.MAP_ANON | syscall.MAP_PRIVATE
	onFault         = 1 // MLOCK_ONFAULT, of mlock2
	mlock2          = 325
)

func call(nr uintptr, a ...uintptr) (uintptr, syscall.Errno) {
	var b [6]uintptr
	copy(b[:], a)
	r, _, e := syscall.Syscall6(nr, b[0], b[1], b[2], b[3], b[4], b[5])
	return r, e
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func mapped(f *os.File, off int64, pages, prot, flags int) []byte {
	fd := -1
	if f != nil {
		fd = int(f.Fd())
	}
	return must(syscall.Mmap(fd, off, pages*page, prot, flags))
}

// there prints what mincore says.
func there(what string, at, n uintptr) {
	vec := make([]byte, min(n, 1<<20)/page+2)
	for i := range vec {
		vec[i] = 9
	}
	_, e := call(syscall.SYS_MINCORE, at, n, address(vec))
	if e != 0 {
		fmt.Println(what, e)
		return
	}
	for i := range vec {
		vec[i] |= '0'
	}
	fmt.Printf("%s %s\n", what, vec)
}

var sink byte

func folder(dir string) {
	f := must(os.Create(filepath.Join(dir, "f")))
	defer f.Close()
	text := make([]byte, 4*page)
	for i := range text {
		text[i] = byte(i >> 12)
	}
	must(f.WriteAt(text, 0))
	must(f.WriteAt(text, 8*page+10))
	f.Truncate(20 * page)

	// Written pages are there, holes are not before they are touched, and what is behind the end never is.
	m := mapped(f, 0, 24, read|write, shared)
	there("written", address(m), 24*page)
	sink = m[5*page] + m[6*page]
	m[14*page] = 1
	there("touched", address(m), 24*page)
	there("a part", address(m)+3*page, 5*page+1)
	there("nothing", address(m), 0)
	there("unaligned", address(m)+1, page)
	f.Truncate(10 * page)
	there("cut", address(m), 24*page)
	f.Truncate(20 * page)
	there("longer", address(m), 24*page)
	_, e := call(syscall.SYS_FALLOCATE, f.Fd(), 3, 0, 2*page)
	fmt.Println("punched", e)
	there("punched", address(m), 24*page)

	// Without a right, by another mapping, and by a copy.
	n := mapped(f, 2*page, 4, 0, shared)
	there("no rights", address(n), 4*page)
	p := mapped(f, 0, 20, read|write, private)
	p[17*page] = 1
	there("copied", address(p), 20*page)
	there("not the file's", address(m), 20*page)
	_, e = call(syscall.SYS_MINCORE, address(m), page, 8)
	fmt.Println("no vector", e)
	_, e = call(syscall.SYS_MUNMAP, address(m)+5*page, page)
	there("holed", address(m), 8*page)
	there("before it", address(m), 5*page)
	there("behind it", address(m)+6*page, 4*page)

	// What is locked is there.
	lock := func(what string, nr, at, n, flags uintptr) {
		_, e := call(nr, at, n, flags)
		fmt.Println(what, e)
	}
	lock("mlock", syscall.SYS_MLOCK, address(p)+15*page+100, page, 0)
	there("locked", address(p), 20*page)
	lock("mlock of what is unmapped", syscall.SYS_MLOCK, address(m)+4*page, 2*page, 0)
	lock("mlock behind the end", syscall.SYS_MLOCK, address(m)+19*page, 2*page, 0)
	lock("mlock without rights", syscall.SYS_MLOCK, address(n), page, 0)
	lock("munlock", syscall.SYS_MUNLOCK, address(p), 20*page, 0)
	lock("mlock2", mlock2, address(p), 20*page, onFault)
	there("as they come", address(p), 20*page)
	lock("mlock2 of a flag", mlock2, address(p), page, 2)
	lock("munlock of nothing", syscall.SYS_MUNLOCK, address(p), 0, 0)
	lock("munlock of what is unmapped", syscall.SYS_MUNLOCK, address(m)+4*page, 2*page, 0)
	l := mapped(f, 0, 20, read, shared|syscall.MAP_LOCKED)
	there("mapped locked", address(l), 20*page)
	for _, b := range [][]byte{n, p, l} {
		if err := syscall.Munmap(b); err != nil {
			fmt.Println(err)
		}
	}
	call(syscall.SYS_MUNMAP, address(m), 24*page)
}

func anywhere() {
	a := mapped(nil, 0, 64, read|write, anonymous)
	syscall.Madvise(a, 15) // MADV_NOHUGEPAGE
	there("fresh", address(a), 64*page)
	for i := range 64 {
		a[i*page] = 1
	}
	there("used", address(a), 64*page)
	syscall.Madvise(a[8*page:16*page], syscall.MADV_DONTNEED)
	there("given up", address(a), 64*page)
	syscall.Mprotect(a[:4*page], 0)
	there("without rights", address(a), 8*page)
	_, e := call(syscall.SYS_MLOCK, address(a)+8*page, page)
	fmt.Println("mlock", e)
	there("locked", address(a)+8*page, page)
	call(syscall.SYS_MUNMAP, address(a)+32*page, page)
	there("a hole", address(a), 64*page)
	there("before it", address(a)+16*page, 16*page)
	_, e = call(syscall.SYS_MLOCK, address(a)+31*page, 2*page)
	fmt.Println("mlock of what is unmapped", e)
	there("the end of memory", 1<<47-page, page)
	there("too much", address(a), 1<<63)
	for _, flags := range []uintptr{0, 4, 8, 1, 3, 2} {
		_, e := call(syscall.SYS_MLOCKALL, flags)
		fmt.Println("mlockall", flags, e)
	}
	_, e = call(syscall.SYS_MUNLOCKALL)
	fmt.Println("munlockall", e)
	call(syscall.SYS_MUNMAP, address(a), 64*page)
}

// at maps pages at an address of the program's choice, and says whether they are there.
func at(what string, f *os.File, off int64, where uintptr, pages, prot, flags int) {
	fd := -1
	if f != nil {
		fd = int(f.Fd())
	}
	r, e := call(syscall.SYS_MMAP, where, uintptr(pages*page), uintptr(prot), uintptr(flags), uintptr(fd), uintptr(off))
	fmt.Println(what, r == where, e)
}

const fixed, noReplace = syscall.MAP_FIXED, 0x100000

func places(dir string) {
	f := must(os.Create(filepath.Join(dir, "g")))
	defer f.Close()
	text := make([]byte, 9*page)
	for i := range text {
		text[i] = 'a' + byte(i/page)
	}
	must(f.WriteAt(text, 0))

	// Files and other memory in what was set aside.
	const n = 16
	r := mapped(nil, 0, n, 0, anonymous)
	b := address(r)
	show := func(what string, pages ...int) {
		fmt.Print(what)
		for _, p := range pages {
			fmt.Printf(" %q", r[p*page])
		}
		fmt.Println()
	}
	at("a file", f, 0, b+4*page, 4, read|write, shared|fixed)
	show("it", 4, 5, 6, 7)
	r[5*page] = 'S'
	got := make([]byte, 1)
	must(f.ReadAt(got, page))
	fmt.Printf("stored %q\n", got)
	at("memory over a file", nil, 0, b+4*page, 4, read|write, anonymous|fixed)
	r[4*page]++
	show("it", 4, 5, 6, 7)
	must(f.ReadAt(got, page))
	fmt.Printf("the file keeps %q\n", got)
	at("a file again", f, 0, b+4*page, 4, read, shared|fixed)
	at("a file over a file", f, 4*page, b+4*page, 4, read, private|fixed)
	show("it", 4, 5, 6, 7)
	at("two files", f, 0, b+8*page, 4, read|write, private|fixed)
	at("over both, and more", f, 0, b+3*page, 9, read|write, private|fixed)
	show("it", 3, 4, 10)
	r[3*page] = 'P'
	show("a copy", 3)
	must(f.ReadAt(got, 0))
	fmt.Printf("not the file's %q\n", got)

	// Where nothing may be.
	at("over a file", f, 0, b+3*page, 1, read, shared|noReplace)
	at("over memory", f, 0, b, 1, read, shared|noReplace)
	at("memory over it", nil, 0, b+2*page, 2, read, anonymous|noReplace)
	at("both", f, 0, b+3*page, 1, read, shared|fixed|noReplace)
	at("unaligned", f, 0, b+1, 1, read, shared|fixed)
	at("too high", f, 0, 1<<47-page, 1, read, shared|fixed)
	at("memory too high", nil, 0, 1<<47-page, 1, read, anonymous|fixed)

	// One call for all.
	fmt.Println("mprotect", syscall.Mprotect(r, read|write))
	for p := range n {
		r[p*page] = 'x'
	}
	show("stored", 0, 3, 10, 11, 15)
	call(syscall.SYS_MUNMAP, b, n*page)
	there("nothing", b, page)
	there("nothing", b+5*page, page)
	at("where nothing is", f, 0, b+2*page, 2, read, shared|noReplace)
	show("it", 2, 3)
	at("memory where nothing is", nil, 0, b+8*page, 2, read|write, anonymous|noReplace)
	at("a file where nothing is", f, 0, b+12*page, 2, read|write, private|fixed)
	show("it", 8, 12, 13)
	call(syscall.SYS_MUNMAP, b, n*page)
	there("nothing", b+2*page, page)
	there("nothing", b+8*page, page)
}

var global [4 * page]byte

// others tries to map over what is not the program's to give.
func others(dir string) {
	f := must(os.Create(filepath.Join(dir, "h")))
	heap := make([]byte, 4*page)
	for _, b := range [][]byte{heap, global[:]} {
		where := (address(b) + page) &^ (page - 1)
		at("a file", f, 0, where, 1, read, shared|fixed)
		at("memory", nil, 0, where, 1, read, anonymous|fixed)
		b[page]++
	}
	m := mapped(f, 0, 4, read, shared)
	at("a part of a mapping", f, 0, address(m)+page, 1, read, shared|fixed)
	at("text", f, 0, 4<<20, 1, read, shared|fixed)
}

func main() {
	if os.Args[1] == "others" {
		others(os.Args[2])
		return
	}
	for _, dir := range os.Args[1:] {
		folder(dir)
		places(dir)
		anywhere()
	}
}
