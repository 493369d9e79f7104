// Package elfimage turns a linked Go program into a file that a virtual machine
// monitor boots, and reads such a file back.
//
// The input is what the Go linker writes for GOOS=linux GOARCH=amd64
// CGO_ENABLED=0 with "-E _exo_start": a static ELF executable. The output is an
// ELF with a Xen note that names a 32-bit entry point, which is all that the PVH
// boot protocol asks for. QEMU -kernel, Firecracker and Cloud Hypervisor load it.
// ARCHITECTURE.md ("The image file") describes the layout; layout.go holds it as
// constants.
//
// The package only rearranges bytes: it does not run the linker, knows no file
// names and refuses what it cannot boot instead of guessing. It must not panic
// on any input; FuzzBuild and FuzzRead keep it so.
//
// References: System V ABI, chapters 4 and 5 (ELF); the Xen PVH boot ABI
// (docs/misc/pvh.pandoc in Xen's tree); xen/include/public/elfnote.h.
package elfimage
