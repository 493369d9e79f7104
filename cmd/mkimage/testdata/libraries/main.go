// Command libraries has two libraries that look closely at sockets talk to themselves: quic-go, over UDP, and grpc-go, over TCP.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	overQUIC()
	overGRPC()
	fmt.Println("all is well")
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"x"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// overQUIC sends a MiB on each of some streams, which comes back.
func overQUIC() {
	ctx := context.Background()
	l, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"echo"}}, nil)
	check(err)
	go func() {
		c, err := l.Accept(ctx)
		check(err)
		for {
			s, err := c.AcceptStream(ctx)
			if err != nil {
				return
			}
			go func() {
				io.Copy(s, s)
				s.Close()
			}()
		}
	}()
	c, err := quic.DialAddr(ctx, l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"echo"}}, nil)
	check(err)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := c.OpenStreamSync(ctx)
			check(err)
			go func() {
				_, err := s.Write(body)
				check(err)
				s.Close()
			}()
			got, err := io.ReadAll(s)
			check(err)
			if !bytes.Equal(got, body) {
				check(fmt.Errorf("QUIC: %d bytes of %d come back, or others", len(got), len(body)))
			}
		})
	}
	all.Wait()
	check(c.CloseWithError(0, ""))
}

// overGRPC calls a service some hundred times.
func overGRPC() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, health.NewServer())
	go s.Serve(l)
	c, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	for range 300 {
		r, err := healthpb.NewHealthClient(c).Check(context.Background(), &healthpb.HealthCheckRequest{})
		check(err)
		if r.Status != healthpb.HealthCheckResponse_SERVING {
			check(fmt.Errorf("gRPC: %v", r.Status))
		}
	}
	check(c.Close())
	s.GracefulStop()
}
