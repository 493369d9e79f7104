package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// TestLibraries runs quic-go and grpc-go, which ask more of sockets than most.
func TestLibraries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // outside of our workspace
	if err := os.CopyFS(dir, os.DirFS("testdata/libraries")); err != nil {
		t.Fatal(err)
	}
	var c call
	c.mkimage(t, "run", "--cpus", "2", "--net", "none", "--missing-calls", dir)
	c.want(t, 0, "all is well")
}

// TestMachineTold has gopsutil ask of the machine, the network and the process what programs that watch themselves do.
func TestMachineTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // outside of our workspace
	if err := os.CopyFS(dir, os.DirFS("testdata/machine")); err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(dir, "disk.img")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "64M", disk)
	c.want(t, 0, "")
	c.mkimage(t, "run", "--cpus", "2", "--memory", "256M", "--disk", disk+":/data", dir, "--", "2", "256", "64", "/data")
	c.want(t, 0, "all is well")
}

// h2spec is the judge of HTTP/2 servers.
const h2spec = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

const http2Server = `package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"x"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	s := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, "hello")
		}),
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	panic(s.ServeTLS(l, "", ""))
}
`

// given are the ports that freePort has given.
var given sync.Map

// freePort is one that nobody of the host uses at the moment, and that Linux gives nobody who does not ask for it (ip_local_port_range begins at 32768).
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10000 + rand.IntN(22000)
		if _, again := given.LoadOrStore(port, true); again {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// TestHTTP2 has h2spec judge net/http in an image and on the host: the same cases fail, none more and none less.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	dir := app(t, http2Server)
	install := exec.Command("go", "install", h2spec)
	install.Dir = dir
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "server"), ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	port := freePort(t)
	image := (&call{dir: dir}).command(t, "run", "-p", fmt.Sprintf("%d:443", port), ".", "--", ":443")
	image.Stderr = os.Stderr
	var failed [2][]string
	var ports [2]string
	for i, server := range []*exec.Cmd{exec.Command(filepath.Join(dir, "server"), "127.0.0.1:0"), image} {
		out, err := server.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(server); err != nil {
			t.Fatal(err)
		}
		defer server.Wait()
		defer server.Process.Kill()
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatal("the server did not start")
		}
		ports[i] = lines.Text()
		go io.Copy(io.Discard, out)
		if i == 1 {
			ports[i] = fmt.Sprint(port)
		}
	}
	for try := 0; try == 0 || try < 3 && !slices.Equal(failed[0], failed[1]); try++ { // the judge waits for seconds only, which a busy host may need
		var both sync.WaitGroup
		for i := range ports {
			both.Go(func() { failed[i] = judgeHTTP2(t, filepath.Join(dir, "h2spec"), ports[i]) })
		}
		both.Wait()
	}
	if !slices.Equal(failed[0], failed[1]) {
		t.Errorf("on the host fail\n%s\nin the image\n%s", strings.Join(failed[0], "\n"), strings.Join(failed[1], "\n"))
	}
}

// judgeHTTP2 runs h2spec and returns the cases that failed, and how many there were.
func judgeHTTP2(t *testing.T, h2spec, port string) (failed []string) {
	// A case that expects an answer waits for it for so many seconds: those that fail do.
	cmd := exec.Command(h2spec, "-h", "127.0.0.1", "-p", port, "-t", "-k", "-o", "5")
	timer := time.AfterFunc(testTimeout, func() { cmd.Process.Kill() })
	defer timer.Stop()
	out, _ := cmd.CombinedOutput() // fails where a case does
	summary := ""
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "×") {
			failed = append(failed, line)
		}
		if strings.Contains(line, " tests, ") {
			summary = line
		}
	}
	if summary == "" {
		t.Errorf("h2spec: %s", out)
	}
	return append(failed, summary)
}
