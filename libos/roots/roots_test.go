package roots

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// TestEncode has crypto/x509 read what encode writes.
func TestEncode(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var der []byte
	var want []*x509.Certificate
	for i := range 3 {
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(i)), Subject: pkix.Name{CommonName: string(rune('a' + i))}, NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true}
		one, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = x509.ParseCertificate(one); err != nil {
			t.Fatal(err)
		}
		der, want = append(der, one...), append(want, c)
	}
	for name, bad := range map[string]string{"whole": "", "cut": "\x30\x82\xff\xff1", "foreign": "\x00"} {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(encode(append(der[:len(der):len(der)], bad...))) {
			t.Errorf("%s: no certificate", name)
		}
		for _, c := range want {
			if _, err := c.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
				t.Errorf("%s: %s: %v", name, c.Subject, err)
			}
		}
	}
	if got := encode(nil); len(got) != 0 {
		t.Errorf("no certificates give %q", got)
	}
}
