// Package linuxguest makes the Linux guest that stands beside an image: Debian's cloud kernel, booted by PVH like
// the image, with the program under measurement as its init and nothing else in memory.
//
// The kernel is the Debian package linux-image-cloud-amd64, downloaded by apt-get and unpacked into a cache;
// nothing is installed on the host. Its compressed kernel is unpacked to the ELF inside (Linux,
// Documentation/arch/x86/boot.rst), since a bzImage would spend the guest's first second in decompressing.
package linuxguest
