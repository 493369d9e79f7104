// Command idleconns accepts ten thousand connections, keeps them, and tells how much memory they took: of the machine's, of that Go's heap and stacks, and these with what
// Go's runtime has beside them, of which a descriptor that is polled has half a KB (pollDesc).
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

const connections = 10000

func main() {
	l, err := net.Listen("tcp", ":80")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	conns := make([]net.Conn, 0, connections)
	machine, heap, all := used()
	fmt.Println("ready")
	for len(conns) < connections {
		c, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		conns = append(conns, c)
	}
	m, h, a := used()
	fmt.Printf("RESULT machine %.1f B\nRESULT heap %.1f B\nRESULT go %.1f B\n", float64(m-machine)/connections, float64(h-heap)/connections, float64(a-all)/connections)
	conns[0].Write([]byte("x")) // the other end may go
	time.Sleep(time.Second)
	runtime.KeepAlive(conns)
}

// used is how many bytes of memory are in use, how many of them in Go's heap and stacks, and how many by Go at all, when all that is garbage has been given back and nothing is
// on its way any more.
func used() (machine, heap, all int64) {
	time.Sleep(3 * time.Second)
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return inUse(), int64(m.HeapInuse + m.StackInuse), int64(m.Sys - m.HeapIdle)
}
