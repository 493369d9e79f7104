package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// tlsProgram talks to itself by TLS, and trusts whom the machine trusts.
const tlsProgram = `package main

import (
	"crypto/tls"
	_ "embed"
	"fmt"
	"io"
	"net"
)

//go:embed server.pem
var server []byte

func main() {
	cert, err := tls.X509KeyPair(server, server)
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}), "trusted\n")
		c.Close()
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{ServerName: "server.test"})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := io.ReadAll(c)
	fmt.Printf("%s", text)
}
`

// authority writes two PEM files: an authority's certificate, and a server's with its key that the authority vouches for.
func authority(t *testing.T, ca, server string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-24 * time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		DNSNames: []string{"server.test"}}
	for name, c := range map[string]*x509.Certificate{ca: root, server: leaf} {
		der, err := x509.CreateCertificate(rand.Reader, c, root, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		out.WriteString("# what stands outside of the blocks is not read\n")
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der})
		if c == leaf {
			pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: secret})
		}
		if err := os.WriteFile(name, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRoots: an image trusts whom the machine that builds it trusts, or whom the user says.
func TestRoots(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": tlsProgram,
		"ca/not.pem": "no certificate\n", "libos.toml": "roots = \"ca/ca.pem\"\n"})
	ca := filepath.Join(dir, "ca", "ca.pem")
	authority(t, ca, filepath.Join(dir, "server.pem"))

	machine := call{env: []string{"SSL_CERT_FILE=" + ca}}
	machine.mkimage(t, "run", "--net", "none", "--roots", "auto", dir)
	machine.want(t, 0, "trusted")

	var c call
	c.mkimage(t, "run", "--net", "none", dir)
	c.want(t, 0, "trusted")
	machine.mkimage(t, "run", "--net", "none", "--roots", "none", dir)
	machine.want(t, 0, "certificate signed by unknown authority")

	c.mkimage(t, "build", "--roots", filepath.Join(dir, "nothing.pem"), "-o", filepath.Join(dir, "x.elf"), dir)
	c.want(t, 1, "certificate authorities", "nothing.pem", "no such file")
	c.mkimage(t, "build", "--roots", filepath.Join(dir, "ca", "not.pem"), "-o", filepath.Join(dir, "x.elf"), dir)
	c.want(t, 1, "not.pem", "no certificate in it")
	if _, err := os.Stat(filepath.Join(dir, "x.elf")); err == nil {
		t.Error("a build that failed left a file")
	}
}
