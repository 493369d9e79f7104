package cli

import (
	"encoding/json"
	"errors"
	"io"
	"runtime/debug"

	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// A bom is a list of what an image is made of: CycloneDX 1.5 (ECMA-424), in JSON. It has no serial number and no date, so that
// the same image has the same one.
type bom struct {
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    bomMetadata `json:"metadata"`
	Components  []component `json:"components"`
}

type bomMetadata struct {
	Component component `json:"component"`
}

// A component is a module, or the program.
type component struct {
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// writeSBOM lists the modules of an image: what the Go command has written into the program, and the standard library.
func writeSBOM(w io.Writer, img *elfimage.Image) error {
	if img.Build == nil {
		return errors.New("the image has no build information, so nobody knows its modules")
	}
	main := img.Build.Main
	list := bom{Format: "CycloneDX", SpecVersion: "1.5", Version: 1, Components: []component{
		{Type: "library", Name: "std", Version: img.Build.GoVersion, PURL: "pkg:golang/std@" + img.Build.GoVersion},
	}}
	list.Metadata.Component = component{Type: "application", Name: img.Build.Path, Version: main.Version}
	if main.Path != "" {
		list.Components = append(list.Components, ofModule(&main))
	}
	for _, m := range img.Build.Deps {
		list.Components = append(list.Components, ofModule(m))
	}
	if rec := img.Record; rec != nil {
		for _, m := range rec.Modules {
			list.Metadata.Component.Properties = append(list.Metadata.Component.Properties, property{"hardtack:module", m})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "\t")
	return enc.Encode(list)
}

func ofModule(m *debug.Module) component {
	c := component{Type: "library", Name: m.Path, Version: m.Version}
	if m.Replace != nil {
		c.Properties = append(c.Properties, property{"go:replaced", m.Path + "@" + m.Version})
		if m.Replace.Version != "" { // a folder has none, and its name is the build machine's
			c.Name, c.Version = m.Replace.Path, m.Replace.Version
		}
		m = m.Replace
	}
	if c.Version != "" {
		c.PURL = "pkg:golang/" + c.Name + "@" + c.Version
	}
	if m.Sum != "" {
		c.Properties = append(c.Properties, property{"go:sum", m.Sum})
	}
	return c
}
