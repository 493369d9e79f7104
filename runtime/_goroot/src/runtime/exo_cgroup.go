package runtime

// GOMAXPROCS by default: the machine is the program's own, there are no control groups to ask. Replaces cgroup_linux.go.

func defaultGOMAXPROCSInit()          {}
func defaultGOMAXPROCSUpdateGODEBUG() {}

// defaultGOMAXPROCS returns the number of CPUs; ncpu is that number if it is known, else 0.
func defaultGOMAXPROCS(ncpu int32) int32 {
	if ncpu > 0 {
		return ncpu
	}
	return getCPUCount()
}
