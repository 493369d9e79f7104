package files

// cpuid is CPUID, and timestamp RDTSC (SDM vol. 2): each an instruction, in the assembly file.
func cpuid(leaf, sub uint32) (ax, bx, cx, dx uint32)
func timestamp() uint64
