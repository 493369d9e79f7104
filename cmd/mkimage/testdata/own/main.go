// Command own fills the slots of the libOS with modules of its own, which libos.toml names: each answers in a way that no other would. It knows nothing of them.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
)

func main() {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(runtime.Gosched)
	}
	wg.Wait()

	fmt.Println("file:", read("/own"))
	fmt.Println("file:", read("/other"))

	conn, err := net.Dial("tcp", "192.0.2.1:80")
	if err != nil {
		fmt.Println("dial:", err)
		os.Exit(1)
	}
	conn.Write([]byte("abc"))
	b := make([]byte, 10)
	n, err := conn.Read(b)
	fmt.Println("net:", string(b[:n]), err, conn.RemoteAddr())

	cpu, _, e := syscall.RawSyscall(309, 0, 0, 0) // getcpu
	fmt.Println("call:", cpu, e)
	cpu, _, e = syscall.Syscall(309, 0, 0, 0)
	fmt.Println("call:", cpu, e)
}

func read(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
