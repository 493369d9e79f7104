package cli

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/volume"
)

func (a *app) fsCommand() *cobra.Command {
	fs := &cobra.Command{
		Use:   "fs",
		Short: "Make, look at, change and check volumes in files of this machine",
		Long: `A volume is what an image keeps files on: a file of this machine, given to it as a
disk; one of cffs, or of FAT. A place in one is written FILE:/PATH, and
FILE#2:/PATH where it is in the second partition. Nobody needs to be root; a volume
that a running image uses is refused. mount alone asks the kernel for something: FUSE,
by fusermount3 where the user is not root.`,
	}
	names(fs)
	fs.AddCommand(a.fsMake(), a.fsList(), a.fsTree(), a.fsCat(), a.fsCopy(), a.fsRemove(), a.fsInfo(), a.fsCheck(), a.fsResize(), a.fsMount())
	return fs
}

// sub is a command of fs with so many arguments.
func sub(use, short string, n int, run func(args []string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("fs %s: want mkimage fs %s", cmd.Name(), use)
		}
		return nil
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error { return run(args) }
	return cmd
}

// with opens the volume of FILE:/PATH, does f and closes it.
func with(arg string, readOnly bool, f func(v *volume.Volume, path string) error) error {
	file, path, inside := volume.Split(arg)
	if meant := config.WithSlash(arg); !inside && meant != "" {
		return noSlash(arg, meant)
	}
	v, err := volume.Open(file, readOnly)
	if err != nil {
		return err
	}
	err = f(v, path)
	if e := v.Close(); err == nil {
		err = e
	}
	return err
}

func noSlash(arg, meant string) error {
	return fmt.Errorf("there is no %s; a path in a volume begins with a slash: %s", arg, meant)
}

// wantPath refuses a volume without a path in it.
func wantPath(name, arg string) error {
	_, _, inside := volume.Split(arg)
	if meant := config.WithSlash(arg); !inside && meant != "" {
		return noSlash(arg, meant)
	}
	if !inside {
		return fmt.Errorf("fs %s: want FILE:/PATH, as %s:/f", name, arg)
	}
	return nil
}

func (a *app) fsMake() *cobra.Command {
	var size config.Size
	var label string
	var force, isFAT bool
	cmd := sub("mkfs FILE", "Make an empty volume", 1, func(args []string) error { return volume.Make(args[0], int64(size), label, force, isFAT) })
	cmd.Flags().Var(&size, "size", "make the file, or make it larger: `size`, as 64M")
	cmd.Flags().StringVar(&label, "label", "", "the volume's `name`, at most 32 bytes")
	cmd.Flags().BoolVar(&isFAT, "fat", false, "a FAT32 volume, which others read, too; its name has at most 11 bytes")
	cmd.Flags().BoolVar(&force, "force", false, "over what is there")
	return cmd
}

func (a *app) fsList() *cobra.Command {
	var long bool
	cmd := sub("ls FILE[:/PATH]", "List a folder", 1, func(args []string) error {
		return with(args[0], true, func(v *volume.Volume, path string) error { return v.List(a.stdout, path, long) })
	})
	cmd.Flags().BoolVarP(&long, "long", "l", false, "with modes, owners, sizes and times (UTC)")
	return cmd
}

func (a *app) fsTree() *cobra.Command {
	return sub("tree FILE[:/PATH]", "List all below a folder", 1, func(args []string) error {
		return with(args[0], true, func(v *volume.Volume, path string) error { return v.Tree(a.stdout, path) })
	})
}

func (a *app) fsCat() *cobra.Command {
	return sub("cat FILE:/PATH", "Write a file's bytes", 1, func(args []string) error {
		if err := wantPath("cat", args[0]); err != nil {
			return err
		}
		return with(args[0], true, func(v *volume.Volume, path string) error { return v.Cat(a.stdout, path) })
	})
}

func (a *app) fsCopy() *cobra.Command {
	var whole bool
	cmd := &cobra.Command{
		Use: "cp FROM... TO",
		Short: "Copy into a volume or out of one: either FROM or TO is FILE:/PATH, the other a path of this machine, or - for standard input or output; " +
			"TO is a folder where there are several FROM",
	}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) < 2 {
			return fmt.Errorf("fs cp: want mkimage fs cp FROM... TO")
		}
		return nil
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return a.copy(args[:len(args)-1], args[len(args)-1], whole)
	}
	cmd.Flags().BoolVarP(&whole, "recursive", "r", false, "folders with all that is in them")
	return cmd
}

// copy copies each of from to a place. What goes wrong with one keeps the others from nothing.
func (a *app) copy(from []string, to string, whole bool) error {
	_, _, in := volume.Split(to)
	for _, f := range from {
		_, _, out := volume.Split(f)
		for _, arg := range []string{f, to} {
			if meant := config.WithSlash(arg); in == out && !in && meant != "" {
				return noSlash(arg, meant)
			}
		}
		switch {
		case in == out:
			return fmt.Errorf("fs cp: either %s or %s is FILE:/PATH, and one only", f, to)
		case len(from) > 1 && (f == "-" || to == "-"):
			return fmt.Errorf("fs cp: - is for one file")
		}
	}
	if !in {
		if info, err := os.Stat(to); len(from) > 1 && (err != nil || !info.IsDir()) {
			return fmt.Errorf("fs cp: %s is no folder that several could be copied to", to)
		}
		var all error
		for _, f := range from {
			all = errors.Join(all, with(f, true, func(v *volume.Volume, path string) error {
				if to == "-" {
					return v.Cat(a.stdout, path)
				}
				return v.Out(path, to, whole)
			}))
		}
		return all
	}
	return with(to, false, func(v *volume.Volume, path string) (all error) {
		if from[0] == "-" {
			return v.From(a.stdin, path)
		}
		if len(from) > 1 && !v.IsDir(path) {
			return fmt.Errorf("fs cp: %s is no folder that several could be copied to", to)
		}
		for _, f := range from {
			all = errors.Join(all, v.In(f, path, whole))
		}
		return all
	})
}

func (a *app) fsRemove() *cobra.Command {
	var whole bool
	cmd := sub("rm FILE:/PATH", "Remove a file", 1, func(args []string) error {
		if err := wantPath("rm", args[0]); err != nil {
			return err
		}
		return with(args[0], false, func(v *volume.Volume, path string) error { return v.Remove(path, whole) })
	})
	cmd.Flags().BoolVarP(&whole, "recursive", "r", false, "folders with all that is in them")
	return cmd
}

func (a *app) fsInfo() *cobra.Command {
	return sub("info FILE", "Tell what a volume is", 1, func(args []string) error {
		file, _, inside := volume.Split(args[0])
		if meant := config.WithSlash(args[0]); !inside && meant != "" {
			return noSlash(args[0], meant)
		}
		return volume.Info(a.stdout, file)
	})
}

func (a *app) fsCheck() *cobra.Command {
	var o volume.CheckOptions
	var repair string
	cmd := sub("check FILE", "Look at all of a volume and say what is wrong; exit status 1 if anything is", 1, func(args []string) error {
		switch repair {
		case "":
		case "lossless":
			o.Repair = true
		case "lossy":
			o.Lossy = true
		default:
			return fmt.Errorf("fs check: --repair=%s: want --repair, which loses nothing, or --repair=lossy", repair)
		}
		return volume.Check(a.stdout, args[0], o)
	})
	cmd.Long = `Look at all of a volume, and say by paths what is wrong; exit status 1 if anything is.
Nothing is changed without --repair, --back or --holes. --repair alone mends what loses
nothing. --repair=lossy leaves a volume that is whole, of what can be read: it drops nodes
of the tree that cannot be read, finds those below them again, mends counts, puts what has
lost its name into /lost+found, and says each thing that is lost. Copy what you need
first: mkimage fs cp -r goes on past what it cannot read. Each repair is done in one
step: a crash leaves the volume as it was, or repaired.

Of FAT all but the bytes of files is looked at, for it has no sums. --repair mends boot
sectors, counts, copies of the table, marks, dates, remains of long names and chains
that are too long, and gives clusters and folders that have no name one in /FOUND.000.
--repair=lossy cuts files and folders where their chains break, copies clusters that two
files have, and removes names of folders that are nowhere. A crash in a repair of FAT
leaves what another repair mends. --back and --holes are not for FAT.`
	cmd.Flags().StringVar(&repair, "repair", "", "mend what can be mended without losing anything; --repair=lossy: lose what cannot be read, too")
	cmd.Flags().Lookup("repair").NoOptDefVal = "lossless"
	cmd.Flags().BoolVar(&o.Holes, "holes", false, "--repair=lossy, and have what of files cannot be read give zeroes instead of an error")
	cmd.Flags().BoolVar(&o.Back, "back", false, "--repair, and lose the last commit if it cannot be read")
	cmd.Flags().BoolVar(&o.Quick, "quick", false, "without reading the data of files")
	return cmd
}

func (a *app) fsResize() *cobra.Command {
	var size config.Size
	cmd := sub("resize [--size SIZE] FILE", "Make a volume as large as the file, disk or partition that it is in", 1, func(args []string) error {
		return volume.Resize(args[0], int64(size))
	})
	cmd.Long = `Make a volume as large as the file, disk or partition that it is in. A FAT volume must
be of FAT32, whole, and unmounted; where its table has no room for more, as many of its
clusters as a larger one takes must be free. A crash meanwhile leaves the old volume or
the new one; mkimage fs check --repair mends what it left.`
	cmd.Flags().Var(&size, "size", "make the file larger first: its new `size`, as 1G")
	return cmd
}

func (a *app) fsMount() *cobra.Command {
	var o volume.MountOptions
	cmd := sub("mount FILE FOLDER", "Mount a volume on a folder of this machine until Ctrl-C or umount", 2, func(args []string) error {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(stop)
		return volume.Mount(a.stdout, args[0], args[1], o, stop)
	})
	cmd.Flags().BoolVar(&o.ReadOnly, "read-only", false, "nothing is written to it")
	cmd.Flags().BoolVar(&o.AllowOther, "allow-other", false, "other users may use it, too, as far as owners and modes permit; who is not root needs user_allow_other in /etc/fuse.conf")
	return cmd
}
