// Command fileserver serves files of 1 MiB, which it has written to the folder /data before, on port 80 by http.FileServer.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

func main() {
	const files, size = 8, 1 << 20
	dir := "/data/www"
	must(os.MkdirAll(dir, 0o755))
	b := make([]byte, size)
	for i := range files {
		for k := range b {
			b[k] = byte(i + k)
		}
		name := filepath.Join(dir, strconv.Itoa(i))
		must(os.WriteFile(name, b, 0o644))
		f, err := os.Open(name)
		must(err)
		must(f.Sync())
		_, err = io.Copy(io.Discard, f)
		must(err)
		must(f.Close())
	}
	l, err := net.Listen("tcp", ":80")
	must(err)
	fmt.Println("ready")
	must(http.Serve(l, http.FileServer(http.Dir(dir))))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fileserver:", err)
		os.Exit(1)
	}
}
