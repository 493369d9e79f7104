package build

import (
	"slices"
	"testing"
)

func TestGroupsFor(t *testing.T) {
	for module, want := range map[string][]string{
		posixModule:             {buildTag},
		schedModule:             {buildTag, schedTag},
		schedModule + "/stride": {buildTag, schedTag},
		schedModule + "uler":    {buildTag},
	} {
		groups, tags := groupsFor([]string{posixModule, module})
		if !slices.Equal(tags, want) || len(groups) != len(want)-1 {
			t.Errorf("%s: groups %v, tags %v, want %v", module, groups, tags, want)
		}
	}
	if groups, tags := groupsFor([]string{VolumesModule, schedModule}); len(groups) != 2 || len(tags) != 2 {
		t.Errorf("volumes and a policy: groups %v, tags %v", groups, tags)
	}
}
