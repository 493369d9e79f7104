package build

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/inject"
)

// RootsModule is for programs that check certificates; rootsBundle is its file
// that a bundle takes the place of, and rootsPackage what such programs link.
const (
	RootsModule  = inject.ModulePath + "/libos/roots"
	rootsBundle  = "libos/roots/bundle.der"
	rootsPackage = "crypto/x509"
)

// rootsFiles are where systems keep the authorities they trust: Debian, Fedora,
// openSUSE, OpenELEC, RHEL 7 and later, Alpine and macOS.
var rootsFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// AddRoots has a build with RootsModule take a bundle of authorities: the file
// that the setting names, or else this machine's.
func (b *Builder) AddRoots(c *Context, modules []string, setting string) error {
	if !slices.Contains(modules, RootsModule) || setting == config.None {
		return nil
	}
	files := []string{setting}
	if setting == config.Auto {
		files = rootsFiles
		if f := os.Getenv("SSL_CERT_FILE"); f != "" {
			files = []string{f}
		}
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if setting == config.Auto && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("certificate authorities: %w", err)
		}
		der, err := certificates(data)
		if err != nil {
			return fmt.Errorf("certificate authorities: %s: %w", f, err)
		}
		laid, err := c.store("bundle.der", der)
		if err != nil {
			return err
		}
		c.Overlay[filepath.Join(c.Ours, filepath.FromSlash(rootsBundle))] = laid
		return nil
	}
	fmt.Fprintln(b.Log, "mkimage: this machine has no certificate authorities: TLS clients in the image will trust nobody; name a PEM file by --roots")
	return nil
}

// certificates returns the certificates of a PEM file as DER, one behind the
// other.
func certificates(data []byte) ([]byte, error) {
	var der bytes.Buffer
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			// A system's bundle may have one that this Go does not read; nor would the image's.
			continue
		}
		der.Write(block.Bytes)
	}
	if der.Len() == 0 {
		return nil, errors.New("no certificate in it: want PEM")
	}
	return der.Bytes(), nil
}
