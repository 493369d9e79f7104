package socket

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strconv"
	"sync"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/memfile"
)

// What programs look for in /etc: Go's resolver reads both, and again when their time of change is another.
func init() {
	memfile.Provide("/etc/hosts", memfile.File{Contents: hosts, Changed: hostsChanged})
	memfile.Provide("/proc/net/dump", memfile.File{Contents: netDump, Changed: func() int64 { return 1 }})
	memfile.Provide("/proc/net/goroutines", memfile.File{Contents: Goroutines, Changed: func() int64 { return 1 }})
	memfile.Provide("/etc/resolv.conf", memfile.File{Contents: resolvConf, Changed: changed})
}

// hostsChanged is another time after each change of the image's name. It does not wait for the network, for these names need none.
func hostsChanged() int64 { return 1 + posix.HostNames() }

// hosts is hosts(5): the names that need no server.
func hosts() []byte {
	return []byte("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" + posix.HostName() + "\n")
}

// Dump writes what netstat would of the image's network: see inet.Stack.Dump.
func Dump(w io.Writer) error { return stack().Dump(w) }

func netDump() []byte {
	var b bytes.Buffer
	Dump(&b)
	return b.Bytes()
}

// dumping lets one dump of goroutines be made at a time: each stops the world, and takes up to twice its length of memory.
var dumping sync.Mutex

// mostDump bounds a dump of goroutines: 64 MiB tell of some 100 000.
const mostDump = 64 << 20

// Goroutines gives what a dump of all goroutines says, and names in the first line of each that waits for the network what it waits for. What is longer than mostDump is cut,
// and its last line says so.
func Goroutines() []byte {
	dumping.Lock()
	defer dumping.Unlock()
	return goroutines(mostDump)
}

func goroutines(most int) []byte {
	all := make([]byte, min(1<<16, most))
	for {
		n := runtime.Stack(all, true)
		if n < len(all) {
			all = all[:n]
			break
		}
		if n == most {
			all = append(all, "\n\n(the rest does not fit)\n"...)
			break
		}
		all = make([]byte, min(2*len(all), most))
	}
	waits := map[uint64]string{}
	stack().Waiting(func(goroutine uint64, what string) { waits[goroutine] = what })
	return name(all, waits)
}

// name puts what goroutines wait for into the brackets of their first lines, behind the rest: "goroutine 7 [IO wait, tcp 127.0.0.1:80 127.0.0.1:4711 read]:".
func name(dump []byte, waits map[uint64]string) (named []byte) {
	const head, ioWait = "goroutine ", " [IO wait"
	for line := range bytes.Lines(dump) {
		if rest, ok := bytes.CutPrefix(line, []byte(head)); ok {
			number, state, _ := bytes.Cut(rest, []byte(" "))
			n, err := strconv.ParseUint(string(number), 10, 64)
			end := bytes.LastIndexByte(line, ']')
			if what := waits[n]; err == nil && what != "" && end >= 0 && bytes.HasPrefix(state, []byte(ioWait[1:])) {
				named = append(append(append(append(named, line[:end]...), ", "...), what...), line[end:]...)
				continue
			}
		}
		named = append(named, line...)
	}
	return named
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
