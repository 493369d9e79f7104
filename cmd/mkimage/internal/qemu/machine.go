package qemu

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
)

// A Machine is what an image runs on.
type Machine struct {
	QEMU      string // path of the program
	Image     string
	Append    string // command line for the image, besides what Start adds
	Type      string // microvm, q35 or pc
	Memory    int64  // bytes
	CPUs      int
	Accel     string // auto, tcg or kvm
	Balloon   bool   // give it a virtio memory balloon
	Disks     []config.Disk
	Ephemeral bool          // what is written to them is forgotten
	Net       []string      // a card each, as config has them: user, none or tap=NAME
	Ports     []config.Port // of the first user network
	Pcap      string        // file that takes what goes over the first card, and begins the names of those for the others; "": none
	GDB       int           // TCP port on which to wait for a debugger, 0 for none
}

// I/O ports of QEMU's ISA test devices, told to the image on its command line.
const (
	controlPort   = 0xe9
	debugExitPort = 0xf4
)

// controlTokens are the command-line tokens for the devices that Args adds.
func controlTokens() string {
	return fmt.Sprintf("ctl=%#x debugexit=%#x", controlPort, debugExitPort)
}

// channels are where QEMU finds the two streams besides the console.
type channels struct {
	control string // file that takes the control records
	qmp     string // -chardev options of the socket for commands to QEMU
}

// args returns QEMU's arguments.
func (m *Machine) args(ch channels) []string {
	a := []string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"}
	a = append(a, m.accelArgs()...)
	a = append(a, m.typeArgs()...)
	a = append(a,
		"-m", fmt.Sprintf("%dK", m.Memory>>10),
		"-smp", strconv.Itoa(m.CPUs),
		"-chardev", "stdio,id=console,signal=off",
		"-serial", "chardev:console",
		"-chardev", "file,id=control,path="+escape(ch.control),
		"-device", fmt.Sprintf("isa-debugcon,iobase=%#x,chardev=control", controlPort),
		"-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=0x04", debugExitPort),
	)
	if ch.qmp != "" {
		a = append(a, "-chardev", ch.qmp, "-mon", "chardev=qmp,mode=control")
	}
	if m.GDB != 0 {
		a = append(a, "-S", "-gdb", fmt.Sprintf("tcp:127.0.0.1:%d", m.GDB))
	}
	cmdline := controlTokens()
	if m.Append != "" {
		cmdline += " " + m.Append
	}
	return append(a, "-kernel", m.Image, "-append", cmdline)
}

func (m *Machine) typeArgs() []string {
	a, bus := []string{"-M", m.Type}, "pci"
	if m.Type == "microvm" {
		a = []string{
			"-M", "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on",
			"-global", "virtio-mmio.force-legacy=false", // VIRTIO 1.2 devices; QEMU's default is the draft before 1.0
		}
		bus = "device"
		if m.hasNVMe() {
			a[1] += ",pcie=on" // where else would they be
		}
	}
	a = append(a, "-device", "virtio-rng-"+bus)
	if m.Balloon {
		a = append(a, "-device", "virtio-balloon-"+bus)
	}
	a = append(a, m.diskArgs(bus)...)
	return append(a, m.netArgs(bus)...)
}

// HasCard tells whether the machine has a network card.
func (m *Machine) HasCard() bool { return len(m.Net) > 0 && m.Net[0] != config.NetNone }

// netArgs gives the machine its network cards. Their station addresses are QEMU's, which counts them up in this order.
func (m *Machine) netArgs(bus string) (a []string) {
	if !m.HasCard() {
		return nil
	}
	ports, users := m.Ports, 0
	for i, kind := range m.Net {
		id, file := "net", m.Pcap
		if i > 0 {
			id, file = fmt.Sprintf("net%d", i), fmt.Sprintf("%s.eth%d", m.Pcap, i)
		}
		netdev := "user,id=" + id
		if tap, isTap := strings.CutPrefix(kind, config.TapPrefix); isTap {
			netdev = "tap,id=" + id + ",script=no,downscript=no,ifname=" + escape(tap)
		} else {
			if users > 0 { // QEMU's first one is 10.0.2.0/24 and fec0::/64
				netdev += fmt.Sprintf(",net=10.0.%d.0/24,ipv6-prefix=fec0:0:0:%x::", 2+users, users)
			}
			users++
			for _, p := range ports {
				proto := "tcp"
				if p.UDP {
					proto = "udp"
				}
				netdev += fmt.Sprintf(",hostfwd=%s:%s-:%d", proto, p.Host, p.Guest)
			}
			ports = nil
		}
		a = append(a, "-netdev", netdev, "-device", "virtio-net-"+bus+",netdev="+id)
		if m.Pcap != "" {
			a = append(a, "-object", "filter-dump,id=pcap"+id[len("net"):]+",netdev="+id+",file="+escape(file))
		}
	}
	return a
}

func (m *Machine) accelArgs() []string {
	if m.Accel == "kvm" || m.Accel == "auto" && KVM() == nil {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg", "-cpu", "max"}
}

// escape doubles the commas of an option's value, as QEMU's option parser asks.
func escape(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] == ',' {
			out = append(out, ',')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// MaxAppend is how long a command line QEMU's PVH loader passes on, less room
// for what the machine and Start add.
const MaxAppend = 3000
