package qemu

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
)

func TestArgs(t *testing.T) {
	m := &Machine{QEMU: "qemu", Image: "x.elf", Append: "arg=1", Type: "microvm", Memory: 64 << 20, CPUs: 4, Accel: "tcg", GDB: 1234}
	line := strings.Join(m.args(channels{control: "/tmp/a,b"}), " ")
	for _, want := range []string{
		"-M microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on", "-device virtio-rng-device", "-m 65536K", "-smp 4",
		"-accel tcg -cpu max", "path=/tmp/a,,b", "isa-debugcon,iobase=0xe9", "isa-debug-exit,iobase=0xf4,iosize=0x04",
		"-S -gdb tcp:127.0.0.1:1234", "-kernel x.elf -append ctl=0xe9 debugexit=0xf4 arg=1",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is missing in %s", want, line)
		}
	}
	m.Type, m.GDB = "q35", 0
	args := m.args(channels{})
	if !slices.Contains(args, "virtio-rng-pci") || !slices.Contains(args, "q35") || slices.Contains(args, "-S") || slices.Contains(args, "-mon") {
		t.Errorf("q35: %q", args)
	}
	for kind, device := range map[string]string{"q35": "virtio-balloon-pci", "microvm": "virtio-balloon-device"} {
		m.Type, m.Balloon = kind, false
		if slices.Contains(m.args(channels{}), device) {
			t.Errorf("%s has a balloon that nobody asked for", kind)
		}
		if m.Balloon = true; !slices.Contains(m.args(channels{}), device) {
			t.Errorf("%s has no balloon", kind)
		}
	}
}

func TestNetArgs(t *testing.T) {
	m := &Machine{Type: "microvm"}
	for _, none := range [][]string{nil, {"none"}} {
		if m.Net = none; len(m.netArgs("device")) != 0 {
			t.Errorf("net %q: %q", none, m.netArgs("device"))
		}
	}
	ports, err := config.Ports([]string{"8080:80", "0.0.0.0:53:5353/udp"})
	if err != nil {
		t.Fatal(err)
	}
	m.Net, m.Ports, m.Pcap = []string{"user"}, ports, "a,b"
	want := "-netdev user,id=net,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp:0.0.0.0:53-:5353 -device virtio-net-pci,netdev=net " +
		"-object filter-dump,id=pcap,netdev=net,file=a,,b"
	if got := strings.Join(m.netArgs("pci"), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	m = &Machine{Type: "microvm", Net: []string{"tap=tap0"}}
	want = "-netdev tap,id=net,script=no,downscript=no,ifname=tap0 -device virtio-net-device,netdev=net"
	if got := strings.Join(m.netArgs("device"), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	m = &Machine{Type: "microvm", Net: []string{"tap=tap0", "user", "user"}, Ports: ports[:1], Pcap: "x"}
	want = "-netdev tap,id=net,script=no,downscript=no,ifname=tap0 -device virtio-net-pci,netdev=net -object filter-dump,id=pcap,netdev=net,file=x " +
		"-netdev user,id=net1,hostfwd=tcp:127.0.0.1:8080-:80 -device virtio-net-pci,netdev=net1 -object filter-dump,id=pcap1,netdev=net1,file=x.eth1 " +
		"-netdev user,id=net2,net=10.0.3.0/24,ipv6-prefix=fec0:0:0:1:: -device virtio-net-pci,netdev=net2 -object filter-dump,id=pcap2,netdev=net2,file=x.eth2"
	if got := strings.Join(m.netArgs("pci"), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHasVirtualisation(t *testing.T) {
	for text, want := range map[string]bool{
		"processor\t: 0\nflags\t\t: fpu vme vmx avx\n": true,
		"flags : fpu svm":                          true,
		"flags : fpu svm_lock\nvmx flags : vnmi\n": false,
		"model name : vmx\n":                       false,
	} {
		if got := hasVirtualisation(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestFollow(t *testing.T) {
	name := filepath.Join(t.TempDir(), "control")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	records := make(chan record, 10)
	done := make(chan error)
	go func() { done <- follow(ctx, name, func(r record) { records <- r }) }()
	f.WriteString("call write 1")
	time.Sleep(2 * pollEvery)
	f.WriteString(" = 5\nmissing mount\nexit ")
	if r := <-records; r.verb != "call" || r.rest != "write 1 = 5" {
		t.Error(r)
	}
	if r := <-records; r.verb != "missing" || r.rest != "mount" {
		t.Error(r)
	}
	f.WriteString("258\n") // what is there when the machine has ended is read too
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if code, ok := (<-records).exitCode(); code != 2 || !ok {
		t.Errorf("exit code %d, %v", code, ok)
	}
}

func TestParseRecord(t *testing.T) {
	for line, want := range map[string]int{"exit 0": 0, "exit 2": 2} {
		if code, ok := parseRecord(line).exitCode(); code != want || !ok {
			t.Errorf("%q: %d, %v", line, code, ok)
		}
	}
	for _, line := range []string{"exit", "exit x", "exited 1", ""} {
		if _, ok := parseRecord(line).exitCode(); ok {
			t.Errorf("%q ends the machine", line)
		}
	}
}

func TestDisks(t *testing.T) {
	m := Machine{Disks: []config.Disk{{File: "a,b", Path: "/x"}, {File: "c", ReadOnly: true}}}
	want := "-drive if=none,id=disk0,format=raw,discard=unmap,werror=report,rerror=report,file=a,,b -device virtio-blk-pci,drive=disk0,serial=disk0 " +
		"-drive if=none,id=disk1,format=raw,discard=unmap,werror=report,rerror=report,file=c,readonly=on -device virtio-blk-pci,drive=disk1,serial=disk1"
	if got := strings.Join(m.diskArgs("pci"), " "); got != want {
		t.Errorf("%s", got)
	}
	m.Ephemeral = true
	if got := strings.Join(m.diskArgs("device"), " "); strings.Count(got, "snapshot=on") != 1 {
		t.Errorf("%s", got)
	}
	m = Machine{Type: "microvm", Disks: []config.Disk{{File: "a", Bus: config.BusSCSI}, {File: "b", Bus: config.BusVirtio}, {File: "c", Bus: config.BusSCSI}}}
	want = "-device virtio-scsi-device,id=scsi -drive if=none,id=disk0,format=raw,discard=unmap,werror=report,rerror=report,file=a -device scsi-hd,bus=scsi.0,scsi-id=0,drive=disk0,serial=disk0 " +
		"-drive if=none,id=disk1,format=raw,discard=unmap,werror=report,rerror=report,file=b -device virtio-blk-device,drive=disk1,serial=disk1 " +
		"-drive if=none,id=disk2,format=raw,discard=unmap,werror=report,rerror=report,file=c -device scsi-hd,bus=scsi.0,scsi-id=2,drive=disk2,serial=disk2"
	if got := strings.Join(m.diskArgs("device"), " "); got != want {
		t.Errorf("%s", got)
	}
	if got := strings.Join(m.typeArgs(), " "); strings.Contains(got, "pcie") {
		t.Errorf("%s", got)
	}
	for name, want := range map[string]string{"we:ird.img": "./we:ird.img", "nbd:x/y": "./nbd:x/y", "/a/b:c": "/a/b:c", "a/b:c": "a/b:c", "a": "a"} {
		if got := filename(name); got != want { // QEMU takes what is before a colon for a protocol
			t.Errorf("%s: %s", name, got)
		}
	}
	m.Disks = append(m.Disks, config.Disk{File: "d", Bus: config.BusNVMe})
	if got := strings.Join(m.typeArgs(), " "); !strings.Contains(got, "pcie=on") || !strings.Contains(got, "-device nvme,drive=disk3,serial=disk3") {
		t.Errorf("%s", got)
	}
}
