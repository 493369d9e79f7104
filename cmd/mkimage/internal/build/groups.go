package build

import (
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/inject"
	"github.com/hardtack-os/hardtack/runtime"
)

// schedModule is what makes room for a policy that decides which goroutine runs
// next; below it are policies. Alone it is for a program that registers its own.
const schedModule = inject.ModulePath + "/libos/sched"

// schedTag is set where one of them does, so that libos/sched knows.
const schedTag = "hardtack_sched"

// groupsFor returns what modules need changed in the Go root beyond what every
// image needs, and the build tags of the image.
func groupsFor(modules []string) (groups []*runtime.Group, tags []string) {
	tags = []string{buildTag}
	for _, m := range modules {
		if (m == schedModule || strings.HasPrefix(m, schedModule+"/")) && groups == nil {
			groups = append(groups, runtime.Sched)
			tags = append(tags, schedTag)
		}
	}
	if HasPageCache(modules) {
		groups = append(groups, runtime.Volumes)
	}
	if slices.Contains(modules, screenModule) {
		groups = append(groups, runtime.Screen)
	}
	return groups, tags
}

// HasPageCache reports whether an image with these modules has the machine's page cache: with volumes, and with files. Test images get theirs too late for that.
func HasPageCache(modules []string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return m == VolumesModule || m == partitionModule || m == imageModule })
}
