package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var matrix = flag.Bool("matrix", false, "boot every format under every firmware, on 1 and 4 CPUs, with 64 MiB and 8 GiB; else a few of them")

// A media is how a file of a format is given to a machine.
type media struct {
	name   string
	suffix string
	args   func(t *testing.T, file string) []string
	bios   bool
	uefi   bool
}

// first is a disk or CD (ide-hd, ide-cd) that firmware tries before all else: OVMF would look for a server on the network card first.
func first(device, options string) []string {
	return []string{"-drive", "if=none,id=boot," + options, "-device", device + ",drive=boot,bootindex=0"}
}

func drive(format string) func(*testing.T, string) []string {
	return func(_ *testing.T, file string) []string {
		return first("ide-hd", "snapshot=on,format="+format+",file="+file)
	}
}

// unpacked is a disk in an archive, one file of which is the machine's.
func unpacked(format, name string, tar ...string) func(*testing.T, string) []string {
	return func(t *testing.T, file string) []string {
		dir := t.TempDir()
		judge(t, append(append([]string{"tar"}, tar...), file, "-C", dir)...)
		found, err := filepath.Glob(filepath.Join(dir, name))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s holds %v, %v", file, found, err)
		}
		return drive(format)(t, found[0])
	}
}

var medias = []media{
	{"elf", "elf", func(_ *testing.T, file string) []string { return []string{"-kernel", file} }, true, false},
	{"bzimage", "bzimage", func(_ *testing.T, file string) []string { return []string{"-kernel", file} }, true, false},
	{"efi", "efi", func(t *testing.T, file string) []string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return first("ide-hd", "format=raw,file=fat:rw:"+tree(t, map[string]string{"EFI/BOOT/BOOTX64.EFI": string(data)}))
	}, false, true},
	{"CD", "iso", func(_ *testing.T, file string) []string { return first("ide-cd", "media=cdrom,readonly=on,file="+file) }, true, true},
	{"iso as a disk", "iso", drive("raw"), true, true},
	{"img", "img", drive("raw"), true, true},
	{"qcow2", "qcow2", drive("qcow2"), true, true},
	{"vmdk", "vmdk", drive("vmdk"), true, true},
	{"vhd", "vhd", drive("vpc"), true, true},
	{"vdi", "vdi", drive("vdi"), true, true},
	{"gce", "tar.gz", unpacked("raw", "disk.raw", "-xzSf"), true, true},
	{"ova", "ova", unpacked("vmdk", "*.vmdk", "-xf"), true, true},
}

// TestMatrix boots samples/hello and an HTTP server, which ends when the host, which has a page of it, says so.
func TestMatrix(t *testing.T) {
	server := app(t, program("context fmt net net/http", `	l, err := net.Listen("tcp", ":80")
	if err != nil {
		panic(err)
	}
	fmt.Println("serving")
	done := make(chan bool, 1)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "served ", r.URL.Path)
		if r.URL.Path == "/end" {
			select {
			case done <- true:
			default:
			}
		}
	})}
	go s.Serve(l)
	<-done
	s.Shutdown(context.Background())`))
	folder := t.TempDir()
	built := map[string]bool{}
	build := func(t *testing.T, what, dir, pkg, suffix string) string {
		file := filepath.Join(folder, what+"."+suffix)
		if !built[file] {
			c := call{dir: dir}
			c.mkimage(t, "build", "-o", file, pkg)
			if c.want(t, 0); t.Failed() {
				t.FailNow()
			}
			built[file] = true
		}
		return file
	}
	machines := []pc{{cpus: 4}}
	if *matrix {
		machines = []pc{{cpus: 1}, {cpus: 4}, {cpus: 1, memory: "8G"}, {cpus: 4, memory: "8G"}}
	}
	for _, media := range medias {
		if !*matrix && media.name != "img" {
			continue
		}
		for _, uefi := range []bool{false, true} {
			if uefi && !media.uefi || !uefi && !media.bios {
				continue
			}
			for _, m := range machines {
				m.uefi = uefi
				name := fmt.Sprintf("%s UEFI=%v CPUs=%d memory=%s", media.name, uefi, m.cpus, cmp.Or(m.memory, "64M"))
				if *matrix {
					t.Run("hello "+name, func(t *testing.T) {
						hello := build(t, "hello", root(t), "./samples/hello", media.suffix)
						if out := m.boot(t, media.args(t, hello)...); !strings.Contains(out, fmt.Sprintf(" on %d CPU(s)", m.cpus)) {
							t.Errorf("console: %q", out)
						}
					})
				}
				if uefi && m.memory == "" {
					m.memory = "256M" // OVMF reads the program whole, and then copies it: 64 MiB do not hold a server's twice
				}
				t.Run("server "+name, func(t *testing.T) {
					serves(t, m, media.args(t, build(t, "server", server, ".", media.suffix)))
				})
			}
		}
	}
}

// serves boots a server and gets one page of it.
func serves(t *testing.T, m pc, args []string) {
	address := fmt.Sprint("127.0.0.1:", freePort(t))
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	get := func(page string, limit time.Duration) (body []byte, err error) {
		ctx, end := context.WithTimeout(ctx, limit)
		defer end()
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+address+page, nil)
		if err != nil {
			return nil, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		return io.ReadAll(res.Body)
	}
	answer := make(chan string, 1)
	go func() {
		defer close(answer)
		for ctx.Err() == nil { // QEMU takes the connection before the server is there, drops it, or leads it on when nobody waits any more
			if body, err := get("/page", 5*time.Second); err == nil {
				answer <- string(body)
				get("/end", bootLimit) // of whose answer QEMU's end may leave nothing
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	m.boot(t, append([]string{"-netdev", "user,id=net,hostfwd=tcp:" + address + "-:80", "-device", "virtio-net-pci,netdev=net"}, args...)...)
	cancel()
	if got := <-answer; got != "served /page" {
		t.Errorf("the server said %q", got)
	}
}
