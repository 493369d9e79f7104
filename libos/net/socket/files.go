package socket

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/memfile"
)

// What programs look for in /etc: Go's resolver reads both, and again when their time of change is another.
func init() {
	memfile.Provide("/etc/hosts", memfile.File{Contents: hosts, Changed: changed})
	memfile.Provide("/proc/net/dump", memfile.File{Contents: netDump, Changed: func() int64 { return 1 }})
	memfile.Provide("/etc/resolv.conf", memfile.File{Contents: resolvConf, Changed: changed})
}

// hosts is hosts(5): the names that need no server.
func hosts() []byte {
	return []byte("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" + posix.HostName() + "\n")
}

// netDump is what inet.Stack.Dump writes, for who looks at a running program's network: connections, listeners, what was dropped and why.
func netDump() []byte {
	var b bytes.Buffer
	stack().Dump(&b)
	return b.Bytes()
}

// A resolver is what is known of name servers.
type resolver struct {
	servers []netip.Addr
	search  []string
	changed int64 // seconds since 1970
}

// resolvers tells it; nil: nothing is known.
var resolvers func() resolver

// resolvConf is resolv.conf(5). Without a server it has none, and Go's resolver asks port 53 of this host, where nobody answers: a lookup fails at once.
func resolvConf() []byte {
	var b bytes.Buffer
	if resolvers == nil {
		return nil
	}
	r := resolvers()
	for _, s := range r.servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(r.search) > 0 {
		b.WriteString("search")
		for _, s := range r.search {
			b.WriteString(" " + s)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func changed() int64 {
	if resolvers == nil {
		return 1
	}
	return resolvers().changed
}
