//go:build linux

package volume

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// MountOptions say how a volume is mounted on the host.
type MountOptions struct {
	ReadOnly   bool
	AllowOther bool // others than who mounts may use it, too, as far as owners and modes permit
}

// Mount mounts the volume in a file on a folder of the host, tells w, and serves it until somebody unmounts it: by umount, or a value in stop. Then all that was written is
// durable. Root mounts by itself, others by fusermount3. What belongs to root in the volume belongs to who mounts. Nobody else may use the mount, and the kernel asks for no permissions, as the image asks
// for none; with AllowOther it asks everybody for what owners and modes permit.
func Mount(w io.Writer, file, folder string, o MountOptions, stop <-chan os.Signal) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	v, err := open(file, o.ReadOnly, false)
	if err != nil {
		return err
	}
	s := newServed(v, o.ReadOnly)
	server, err := fuse.NewServer(s, folder, mountOptions(file, o))
	if err != nil {
		return errors.Join(fmt.Errorf("%s cannot be mounted on %s: %w", file, folder, explain(err)), v.Close())
	}
	ended := make(chan struct{})
	go func() {
		server.Serve()
		close(ended)
	}()
	if err = server.WaitMount(); err != nil {
		err = fmt.Errorf("%s on %s does not answer: %w", file, folder, err)
	} else {
		fmt.Fprintf(w, "%s is mounted on %s: Ctrl-C, or umount, ends that\n", file, folder)
	}
	for {
		select {
		case <-ended:
			s.forgetAll()
			return errors.Join(err, v.Close())
		case <-stop:
			if e := server.Unmount(); e != nil {
				fmt.Fprintf(w, "%s is in use, and stays mounted: %v\n", folder, e)
			}
		}
	}
}

// explain says what to do about an error of fusermount3, which has said on standard error what it is.
func explain(err error) error {
	if os.Geteuid() == 0 {
		return err
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return errors.New("who is not root needs fusermount3, of the package fuse3")
	}
	return errors.New(strings.TrimSpace(err.Error()))
}

func mountOptions(file string, o MountOptions) *fuse.MountOptions {
	m := &fuse.MountOptions{
		AllowOther:         o.AllowOther,
		FsName:             filepath.Base(file),
		Name:               "hardtack",
		MaxWrite:           1 << 20,
		DisableReadDirPlus: true,
		Logger:             log.New(io.Discard, "", 0),
		DirectMountStrict:  os.Geteuid() == 0,
	}
	if o.AllowOther {
		m.Options = append(m.Options, "default_permissions")
	}
	if o.ReadOnly {
		if m.DirectMountStrict {
			m.DirectMountFlags = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_RDONLY
		} else {
			m.Options = append(m.Options, "ro")
		}
	}
	return m
}
