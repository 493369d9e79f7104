// Package format wraps images, ELF files as package elfimage writes them, into what machines boot that do not load such a file
// themselves: Linux-shaped kernels, UEFI programs, disks and CDs, and the files that clouds and hypervisors take disks in.
//
// The same input gives the same bytes: identifiers are drawn from a hash of the image, and the only time is [Source.Time].
// Nothing here reads or writes files. What a format has to be read with, its inverse is in this package too.
package format
