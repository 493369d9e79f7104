//go:build linux && !hardtack

package exo_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// TestImage boots testdata/image: the same calls as TestQEMU, with real interrupts, messages and the power button's handler.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and boots images")
	}
	dir := t.TempDir()
	image := filepath.Join(dir, "image.elf")
	tool := filepath.Join(dir, "mkimage")
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"go", "-C", "../cmd/mkimage", "build", "-o", tool, "."},
		{tool, "build", "-C", filepath.Join(here, "testdata/image"), "-o", image, "."},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	for name, args := range map[string]string{
		"microvm":              "-M microvm,pit=off,pic=off,rtc=on -global virtio-mmio.force-legacy=false -device virtio-rng-device",
		"microvm two CPUs":     "-M microvm,pit=off,pic=off,rtc=on -smp 2 -global virtio-mmio.force-legacy=false -device virtio-rng-device",
		"microvm with PCI":     "-M microvm,pit=off,pic=off,rtc=on,pcie=on -device virtio-rng-pci",
		"pc":                   "-M pc -device virtio-rng-pci",
		"q35 with a root port": "-M q35 -device pcie-root-port,id=rp,chassis=1 -device virtio-rng-pci,bus=rp",
	} {
		t.Run(name, func(t *testing.T) { bootAndPress(t, image, strings.Fields(args)) })
	}
}

func bootAndPress(t *testing.T, image string, args []string) {
	sock := filepath.Join(t.TempDir(), "qmp")
	args = append(args, "-accel", "tcg", "-cpu", "max", "-m", "128M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-qmp", "unix:"+sock+",server=on,wait=off", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
		"-kernel", image, "-append", "debugexit=0xf4")
	cmd := exec.Command("qemu-system-x86_64", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(cmd); err != nil {
		t.Fatal("apt-get install qemu-system-x86: ", err)
	}
	timer := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	var log bytes.Buffer
	lines := bufio.NewScanner(io.TeeReader(out, &log))
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "ready" {
			press(t, sock)
		}
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7<<1|1 {
		t.Errorf("exit %d, want the program's 7", code)
	}
	for _, want := range []string{"arm: <nil>", "fed in time: true", "refused before: true", "taken back from: 4 by the program",
		"this frame, and not the runtime's: true", "waiter woken: true", "the next holder's count: 0 <nil>",
		"poked: true", "the deadline: true without a CPU: true", "a freed page wakes: true", "filled rings seen: 50", "pressed"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(log.String(), "problem:") {
		t.Error("problems")
	}
	if t.Failed() {
		t.Logf("%s", log.Bytes()[:min(log.Len(), 3000)])
	}
}

func press(t *testing.T, sock string) {
	c, err := net.Dial("unix", sock)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	d := json.NewDecoder(c)
	var r map[string]any
	d.Decode(&r) // the greeting
	for _, command := range []string{"qmp_capabilities", "system_powerdown"} {
		fmt.Fprintf(c, "{\"execute\":%q}\n", command)
		d.Decode(&r)
	}
}
