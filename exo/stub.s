// Body-less declarations need an assembly file in their package; the runtime gives them their bodies by go:linkname.
