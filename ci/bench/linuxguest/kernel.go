package linuxguest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// MetaPackage depends on Debian's newest kernel for virtual machines.
const MetaPackage = "linux-image-cloud-amd64"

// A Kernel is an unpacked kernel.
type Kernel struct {
	Package string // its Debian package and version
	ELF     string // file: vmlinux, with a PVH entry
	Image   string // file: the bzImage that vmlinux came out of, which a deployment would ship

	Drivers []string // files: the modules of virtio's network card and disk, in the order they are loaded
}

// drivers are the modules that make a network card and a disk of virtio-mmio devices, each after those it needs (virtio needs virtio_ring from 6.1.192-3 on), and that of the checksums that ext4 makes. Debian's
// kernel has ext4 built in, and none of these.
var drivers = []string{"virtio_ring", "virtio", "virtio_mmio", "failover", "net_failover", "virtio_net", "crc32c-intel", "virtio_blk"}

// Fetch returns the kernel kept in cache, or downloads it there first.
func Fetch(ctx context.Context, cache string) (*Kernel, error) {
	if k := cached(cache); k != nil {
		return k, nil
	}
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%s is missing: the Linux guest needs Debian's package %s; leave the guest out with -linux=false", tool, MetaPackage)
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(cache, "download") // in the cache, so that the result can be renamed into place
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	name, err := unpackPackage(ctx, work)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, name)
	if err := os.RemoveAll(dir); err != nil { // one that lacks something
		return nil, err
	}
	if err := os.Rename(work, dir); err != nil {
		return nil, err
	}
	if k := cached(cache); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("%s does not hold the kernel that was just unpacked there; remove it and try again", dir)
}

// The names of an unpacked kernel's files in its directory of the cache, which is named as the package.
const (
	elfName   = "vmlinux"
	imageName = "vmlinuz"

	moduleSuffix = ".ko"
)

// cached returns the kernel in the cache, nil if there is none. Directories that a broken download left behind
// have no vmlinux.
func cached(cache string) *Kernel {
	found, _ := filepath.Glob(filepath.Join(cache, "linux-image-*", elfName))
	if len(found) == 0 {
		return nil
	}
	dir := filepath.Dir(found[len(found)-1])
	k := &Kernel{Package: filepath.Base(dir), ELF: filepath.Join(dir, elfName), Image: filepath.Join(dir, imageName)}
	for _, name := range drivers {
		file := filepath.Join(dir, name+moduleSuffix)
		if _, err := os.Stat(file); err != nil {
			return nil // unpacked before modules were kept
		}
		k.Drivers = append(k.Drivers, file)
	}
	return k
}

// takeModules moves the drivers from an unpacked package to dir.
func takeModules(tree, dir string) error {
	for _, name := range drivers {
		found := ""
		err := filepath.WalkDir(filepath.Join(tree, "lib", "modules"), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == name+moduleSuffix {
				found = path
			}
			return err
		})
		if err != nil {
			return err
		}
		if found == "" {
			return fmt.Errorf("lib/modules holds no %s%s", name, moduleSuffix)
		}
		if err := os.Rename(found, filepath.Join(dir, name+moduleSuffix)); err != nil {
			return err
		}
	}
	return nil
}

// unpackPackage downloads the kernel into the directory work, leaves vmlinux and vmlinuz there and returns the
// package's name and version.
func unpackPackage(ctx context.Context, work string) (string, error) {
	meta, err := download(ctx, work, MetaPackage)
	if err != nil {
		return "", err
	}
	depends, err := output(ctx, work, "dpkg-deb", "-f", meta, "Depends")
	if err != nil {
		return "", err
	}
	real := kernelAmong(depends)
	if real == "" {
		return "", fmt.Errorf("package %s depends on no kernel, only on %q", MetaPackage, depends)
	}
	deb, err := download(ctx, work, real)
	if err != nil {
		return "", err
	}
	version, err := output(ctx, work, "dpkg-deb", "-f", deb, "Version")
	if err != nil {
		return "", err
	}
	tree := filepath.Join(work, "tree")
	if _, err := output(ctx, work, "dpkg-deb", "-x", deb, tree); err != nil {
		return "", err
	}
	images, _ := filepath.Glob(filepath.Join(tree, "boot", "vmlinuz-*"))
	if len(images) != 1 {
		return "", fmt.Errorf("package %s holds %d files boot/vmlinuz-*, want 1", real, len(images))
	}
	image := filepath.Join(work, imageName)
	if err := os.Rename(images[0], image); err != nil {
		return "", err
	}
	raw, err := os.ReadFile(image)
	if err != nil {
		return "", err
	}
	vmlinux, err := Extract(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("package %s: boot/vmlinuz: %w", real, err)
	}
	if err := takeModules(tree, work); err != nil {
		return "", fmt.Errorf("package %s: %w", real, err)
	}
	for _, leftover := range []string{meta, deb, tree} {
		if err := os.RemoveAll(leftover); err != nil {
			return "", err
		}
	}
	return real + "_" + strings.ReplaceAll(strings.TrimSpace(version), ":", "_"), os.WriteFile(filepath.Join(work, elfName), vmlinux, 0o644)
}

// kernelAmong picks the kernel out of a Depends field: names separated by commas, each perhaps with a version
// in parentheses.
func kernelAmong(depends string) string {
	for d := range strings.SplitSeq(depends, ",") {
		if f := strings.Fields(d); len(f) > 0 && strings.HasPrefix(f[0], "linux-image-") {
			return f[0]
		}
	}
	return ""
}

// download fetches a package into dir and returns its file.
func download(ctx context.Context, dir, name string) (string, error) {
	if _, err := output(ctx, dir, "apt-get", "-q", "download", name); err != nil {
		return "", fmt.Errorf("%w; if apt does not know the package, run `apt-get update`", err)
	}
	found, _ := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if len(found) != 1 {
		return "", fmt.Errorf("`apt-get download %s` left %d files, want 1", name, len(found))
	}
	return found[0], nil
}

// output runs a command in dir and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("`%s`: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}
