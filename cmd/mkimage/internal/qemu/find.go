package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Program is the name of the QEMU program that images run in.
const Program = "qemu-system-x86_64"

// Find returns the path of QEMU.
func Find() (string, error) {
	path, err := exec.LookPath(Program)
	if err != nil {
		return "", fmt.Errorf("%s is not installed: %s (`mkimage doctor` shows what else is missing)", Program, InstallHint())
	}
	return path, nil
}

// InstallHint is the command that installs QEMU on this system.
func InstallHint() string {
	switch runtime.GOOS {
	case "darwin":
		return "brew install qemu"
	case "windows":
		return "winget install SoftwareFreedomConservancy.QEMU, then add its folder to PATH"
	}
	for _, m := range []struct{ tool, command string }{
		{"apt-get", "sudo apt-get install qemu-system-x86"},
		{"dnf", "sudo dnf install qemu-system-x86"},
		{"pacman", "sudo pacman -S qemu-system-x86"},
		{"apk", "sudo apk add qemu-system-x86_64"},
		{"zypper", "sudo zypper install qemu-x86"},
	} {
		if _, err := exec.LookPath(m.tool); err == nil {
			return m.command
		}
	}
	return "install your system's package of QEMU for x86"
}

// Version returns the first line that QEMU tells about itself.
func Version(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", path, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line), nil
}

// KVM returns nil if hardware virtualisation is there for use, else why not.
//
// A CPU without vmx or svm may still have a /dev/kvm: such devices are other
// things in disguise, and ordinary guests crawl on them or fail.
func KVM() error {
	if runtime.GOOS != "linux" {
		return errors.New("KVM is a part of Linux")
	}
	if runtime.GOARCH != "amd64" {
		return errors.New("this machine is not x86-64")
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	if !hasVirtualisation(string(info)) {
		return errors.New("the CPU shows neither vmx nor svm")
	}
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// hasVirtualisation looks for the flags vmx or svm in /proc/cpuinfo.
func hasVirtualisation(cpuinfo string) bool {
	for line := range strings.Lines(cpuinfo) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) != "flags" {
			continue
		}
		for flag := range strings.FieldsSeq(value) {
			if flag == "vmx" || flag == "svm" {
				return true
			}
		}
	}
	return false
}
