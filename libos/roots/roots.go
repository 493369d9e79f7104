// Package roots brings the certificate authorities that a program trusts: crypto/x509 finds them where it looks on Linux, in
// /etc/ssl/certs/ca-certificates.crt. Package cmd/mkimage links it into programs that link crypto/x509, and puts the build machine's bundle, or the
// one that --roots names, in the place of the empty one here.
//
// The bundle lies in the image as DER, a quarter smaller than PEM (RFC 7468), which is made when the file is opened.
package roots

import (
	"bytes"
	_ "embed"
	"encoding/asn1"
	"encoding/pem"

	"github.com/hardtack-os/hardtack/libos/posix/memfile"
)

// bundle is X.509 certificates (RFC 5280), one behind the other.
//
//go:embed bundle.der
var bundle []byte

func init() {
	memfile.Provide("/etc/ssl/certs/ca-certificates.crt", memfile.File{
		Contents: func() []byte { return encode(bundle) },
		Changed:  func() int64 { return 1 },
	})
}

// encode returns certificates as PEM. What is no DER ends them.
func encode(der []byte) []byte {
	var out bytes.Buffer
	for len(der) > 0 {
		var one asn1.RawValue
		rest, err := asn1.Unmarshal(der, &one)
		if err != nil {
			break
		}
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: one.FullBytes})
		der = rest
	}
	return out.Bytes()
}
