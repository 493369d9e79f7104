package runtime

// The default of GOMEMLIMIT: what the machine has, less a sixteenth for page tables and what else is no heap. A collector that knows where
// memory ends works harder there instead of running into it. On machines under 32 MiB the runtime's own tables, of which little is ever
// touched, would count for more than the limit.
const exoLimitFrom = 32 << 20

func readGOMEMLIMIT() int64 {
	if n := exo.frames.total << exoPageShift; n >= exoLimitFrom && gogetenv("GOMEMLIMIT") == "" {
		return int64(n - n>>4)
	}
	return exoReadGOMEMLIMIT()
}
