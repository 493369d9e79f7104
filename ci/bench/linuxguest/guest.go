package linuxguest

import (
	"fmt"
	"os"
	"regexp"
	"strconv"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
)

// MakeInitramfs writes to file the initramfs that runs program.
func MakeInitramfs(file, program string) error {
	raw, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return writeInitramfs(file, raw)
}

// modulesDir is where guestinit looks for what to load.
const modulesDir = "modules"

// MakeDeviceInitramfs writes to file the initramfs that sets devices up by guestinit, a program built from the folder beside this
// file, and then runs program.
func (k *Kernel) MakeDeviceInitramfs(file, guestinit, program string) error {
	var bodies [][]byte
	for _, name := range append([]string{guestinit, program}, k.Drivers...) {
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		bodies = append(bodies, raw)
	}
	files := []File{{"program", bodies[1]}}
	for i, raw := range bodies[2:] {
		files = append(files, File{fmt.Sprintf("%s/%02d-%s%s", modulesDir, i, drivers[i], moduleSuffix), raw})
	}
	return writeInitramfs(file, bodies[0], files...)
}

func writeInitramfs(file string, init []byte, files ...File) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := WriteInitramfs(f, init, files...); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// CommandLine returns the kernel's command line for a machine with the given clock.
//
// On a machine without PIT or HPET the kernel has nothing to measure the TSC against and would wait for it
// for ever, so it is told the frequency. When init ends the kernel panics; it then resets by a triple
// fault, upon which QEMU ends.
func CommandLine(clock qemu.Clock) (string, error) {
	khz := 1_000_000
	if !clock.CountsInstructions() {
		hz, err := hostTSC()
		if err != nil {
			return "", err
		}
		khz = int(hz / 1000)
	}
	// loglevel=1 keeps all but that panic off the console.
	return fmt.Sprintf("console=ttyS0 loglevel=1 panic=-1 reboot=triple tsc_early_khz=%d tsc=reliable no_timer_check", khz), nil
}

// The kernel's last words about its init; the code is as wait(2) returns it.
var initEnded = regexp.MustCompile(`Attempted to kill init! exitcode=0x([0-9a-f]{8})`)

// ExitCode returns the exit code of the program that ran as init, from the console's output.
func ExitCode(console []qemu.Line) (int, error) {
	for _, l := range console {
		m := initEnded.FindStringSubmatch(l.Text)
		if m == nil {
			continue
		}
		status, err := strconv.ParseUint(m[1], 16, 32)
		if err != nil {
			return 0, err
		}
		if signal := status & 0x7f; signal != 0 {
			return 0, fmt.Errorf("in the Linux guest the program died of signal %d", signal)
		}
		return int(status >> 8 & 0xff), nil
	}
	last := "nothing"
	if len(console) > 0 {
		last = strconv.Quote(console[len(console)-1].Text)
	}
	return 0, fmt.Errorf("the Linux guest ended before its program did; the console shows last: %s", last)
}
