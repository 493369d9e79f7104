// Package qemu starts the virtual machines that the bench measures, and talks to them.
//
// Every figure but the BIOS loader's comes from one kind of machine: QEMU's microvm on TCG without PIT, PIC or any device but a
// 16550 console and isa-debug-exit. A [Machine] says what differs from boot to boot; a [Process] is one boot.
// [Monitor] (QMP) and [Debugger] (the GDB remote protocol) look inside without the guest's help, so that the
// programs under measurement stay unmodified.
//
// What it refuses to do: use KVM (nested or absent where this runs, and its times could not be compared), or
// end a process that it did not start.
package qemu

import (
	"fmt"
	"strconv"
	"strings"
)

// Binary is the QEMU command that is run, looked up on PATH.
const Binary = "qemu-system-x86_64"

// DebugExitPort is the I/O port of the isa-debug-exit device: a guest that writes N ends QEMU with status N<<1|1.
const DebugExitPort = 0xf4

// modernMMIO lets virtio-mmio devices speak virtio 1 (QEMU's default is the draft before it).
const modernMMIO = "virtio-mmio.force-legacy=false"

// A Clock says what drives the guest's time.
type Clock string

const (
	// HostClock lets guest time run with the host's: the TSC counts host cycles.
	HostClock Clock = ""

	// ExactClock advances guest time by one nanosecond an instruction and skips idle time, so that a run
	// repeats to the last digit. The TSC counts instructions.
	ExactClock Clock = "shift=0,sleep=off"

	// SlowExactClock is ExactClock at eight nanoseconds an instruction, a pace TCG can roughly keep: for
	// programs that spend seconds of guest time computing.
	SlowExactClock Clock = "shift=3,sleep=off"

	// IdleClock counts instructions as ExactClock does, but an idle guest waits in real time.
	IdleClock Clock = "shift=0,sleep=on"
)

// CountsInstructions reports whether the guest's TSC runs at exactly 1 GHz of virtual time.
func (c Clock) CountsInstructions() bool { return c != HostClock }

// A Machine is what one boot needs.
type Machine struct {
	CPUs      int    // 0 means 1
	MemoryKiB int    // size of RAM
	Kernel    string // an ELF with a PVH entry
	BootDisk  string // file: a disk that a PC (q35) with SeaBIOS boots, in place of Kernel; what is written to it is forgotten
	Initrd    string // empty for none
	Append    string // command line
	Clock     Clock
	Monitor   bool   // offer Process.Monitor; counts instructions, and so needs a Clock other than HostClock
	Tap       *Tap   // give it a virtio network card
	Balloon   bool   // give it a virtio memory balloon, and offer Process.Monitor
	Disk      string // file: give it a virtio disk, past the host's cache, and offer Process.Monitor; empty for none
	Debugger  bool   // start stopped, and offer Process.Debugger
}

// CardAddress is the link-layer address of a machine's network card.
const CardAddress = "52:54:00:12:34:56"

// A Tap is the host's end of a network card. The interface exists already, in a network namespace of its own where
// QEMU then runs, so that nothing but the guest can be reached and nothing outside reaches the guest.
type Tap struct {
	Namespace, Interface string
	Queues               int // queue pairs; 0 means 1
}

// command returns the program that starts the machine, and its first arguments.
func (m Machine) command() []string {
	if m.Tap == nil {
		return []string{Binary}
	}
	return []string{"ip", "netns", "exec", m.Tap.Namespace, Binary}
}

// monitor says whether Process.Monitor is offered.
func (m Machine) monitor() bool { return m.Monitor || m.Balloon || m.Disk != "" }

// args returns QEMU's arguments; dir is where sockets and the instruction record go.
func (m Machine) args(dir string) ([]string, error) {
	if m.Monitor && !m.Clock.CountsInstructions() {
		return nil, fmt.Errorf("qemu: instructions can only be counted on a machine whose clock counts them; set Clock")
	}
	cpus := max(m.CPUs, 1)
	accel := "tcg"
	if cpus > 1 && m.Clock == HostClock {
		accel = "tcg,thread=multi"
	}
	machine := "microvm,pit=off,pic=off,rtc=on"
	if m.BootDisk != "" {
		machine = "q35"
	}
	a := []string{
		"-accel", accel, "-cpu", "max",
		"-M", machine,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "stdio",
		"-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=0x04", DebugExitPort),
		"-smp", strconv.Itoa(cpus),
		"-m", strconv.Itoa(m.MemoryKiB) + "K",
	}
	if m.BootDisk != "" {
		a = append(a, "-drive", "format=raw,snapshot=on,file="+strings.ReplaceAll(m.BootDisk, ",", ",,"))
	} else {
		a = append(a, "-kernel", m.Kernel)
	}
	if m.Initrd != "" {
		a = append(a, "-initrd", m.Initrd)
	}
	if m.Append != "" {
		a = append(a, "-append", m.Append)
	}
	if m.Clock != HostClock {
		icount := string(m.Clock)
		if m.Monitor {
			// QEMU tells its instruction count only while it records; the record itself is of no use here.
			icount += ",rr=record,rrfile=" + dir + "/record"
		}
		a = append(a, "-icount", icount)
	}
	if t := m.Tap; t != nil {
		netdev, card := "tap,id=net,script=no,downscript=no,ifname="+t.Interface, "virtio-net-device,netdev=net,mac="+CardAddress
		if t.Queues > 1 {
			netdev += fmt.Sprintf(",queues=%d", t.Queues)
			card += ",mq=on"
		}
		a = append(a, "-netdev", netdev, "-device", card)
	}
	if m.Balloon {
		a = append(a, "-device", "virtio-balloon-device")
	}
	if m.Disk != "" {
		a = append(a, "-drive", "if=none,id=disk,format=raw,cache=none,discard=unmap,file="+strings.ReplaceAll(m.Disk, ",", ",,"), "-device", "virtio-blk-device,drive=disk")
	}
	if m.Tap != nil || m.Balloon || m.Disk != "" {
		a = append(a, "-global", modernMMIO)
	}
	if m.monitor() {
		a = append(a, "-chardev", "socket,id=monitor,path="+dir+"/"+monitorSocket, "-mon", "chardev=monitor,mode=control")
	}
	if m.Debugger {
		a = append(a, "-chardev", "socket,id=debugger,path="+dir+"/"+debuggerSocket, "-gdb", "chardev:debugger", "-S")
	}
	return a, nil
}
