package exo

// Rights say what the holder of a Cap may do with its names.
type Rights uint8

// A right is never gained by deriving, only lost.
const (
	Read   Rights = 1 << iota // load, receive, read configuration
	Write                     // store, send, let a device master the bus
	Bind                      // turn names into a resource that can be used
	Derive                    // hand names on, ask for them back, take them back

	All = Read | Write | Bind | Derive
)

// String lists the rights, as errors show them.
func (r Rights) String() string {
	s := ""
	for i, name := range [...]string{"read", "write", "bind", "derive"} {
		if r>>i&1 != 0 {
			if s != "" {
				s += ", "
			}
			s += name
		}
	}
	if s == "" {
		return "none"
	}
	return s
}
