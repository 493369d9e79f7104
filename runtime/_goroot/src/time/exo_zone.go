package time

import _ "unsafe" // for go:linkname

// Time zones are in the image: there is no zoneinfo folder to look into. The data is package time/tzdata's, which libos/posix imports;
// the linker keeps it only in a program that loads a zone, because nothing else refers to it (its init, which would, is dropped).

//go:linkname exoLoadZone time/tzdata.loadFromEmbeddedTZData
func exoLoadZone(name string) (string, error)

var loadFromEmbeddedTZData func(zipname string) (string, error) = exoLoadZone
