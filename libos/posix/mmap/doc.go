// Package mmap maps files into memory: mmap(2) of a descriptor, munmap, mprotect, msync, madvise and mremap on what it gave. mkimage links it into programs that use files and
// make system calls themselves.
//
// It knows nothing of a filesystem but fs.File. What is mapped of a file is an [object]: frames of exo, each with a page of the file, which all mappings of the file share, and which are
// outside of Go's heap. Where the file's module has a page cache whose pages can be mapped (pages.Sharer), and nobody may store to the file's pages, they are that cache's own: ARCHITECTURE.md, "Mappings
// of files", says why only then. While there is an object all that is done to the file's bytes goes through it (fs.Mapper): what is written is written to
// the file and to the frame, if that is a copy, what is read comes from the frame where somebody may have stored there. So read, write and mappings agree at any moment, on every filesystem.
//
// # What is present
//
// mmap brings in what the file has, as long as there is memory, and so does a write to what is mapped. MAP_POPULATE and MADV_WILLNEED bring in holes, too. What comes later is holes, and what did not
// fit: those who touch such pages wait, in assembly, too, but not everywhere (exo.Pages.Pager). Where nobody can wait they see a fault that on Linux would wait.
// Mappings together have at most half of the machine's memory, three quarters with what page caches lend them. Beyond that pages are put out that were not touched lately; those of page caches where others need memory, too.
// What is locked stays.
//
// # What is written back
//
// Pages that were stored to are found by the processor's dirty bits, and written to the file by msync, fsync, sync and munmap, before the image ends, and every [Interval]. A page of
// a hole is read-only until its first store, which has the file allocate it: a full disk is SIGBUS there, as on Linux, and not an error that nobody sees. What cannot
// be written back stays, is seen by all who read the file, and is tried again.
//
// Private mappings show the file's pages until they are written to. A page behind the end of the file is SIGBUS; where the file was cut short, too.
//
// # Not as on Linux
//
// MAP_FIXED replaces whole mappings of files and memory that the program mapped, not a part of a mapping of a file, nor what is Go's: that is EPERM. Who touches it meanwhile may get SIGSEGV, where a file is what goes or comes. Nothing is executable: PROT_EXEC is EPERM. The offset and the length of munmap, mprotect and msync are of 4096 bytes. Times of the file change when its pages are written back.
package mmap
