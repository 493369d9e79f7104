package cli

import (
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/progress"
)

// shared are the flags of build, run and test.
type shared struct {
	config.Settings
	defaults config.Settings // win over config.Defaults
	output   string
	verbose  bool
	chdir    string
}

// add declares the flags of what is built, and, for a command that boots it, those of the machine.
func (s *shared) add(cmd *cobra.Command, boots bool) {
	f := cmd.Flags()
	d := s.allDefaults()
	f.StringVarP(&s.output, "output", "o", "", "write the image to this file or folder")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "print the commands that are run")
	f.StringVarP(&s.chdir, "chdir", "C", "", "change to this folder first")
	f.Var((*cpuCount)(&s.CPUs), "cpus", byDefault("number of processors", d.CPUs))
	f.Var(&s.Memory, "memory", byDefault("memory of the machine, as 64M or 1G", d.Memory))
	f.StringArrayVar(&s.Env, "env", nil, "set NAME=VALUE in the program's environment (may be repeated)")
	f.StringSliceVar(&s.Modules, "module", nil, "link a libOS module, as libos/entropy or an import path (may be repeated)")
	f.StringVar(&s.VM, "vm", "", "frame allocator: buddy, bump or an import path (default buddy)")
	f.StringVar(&s.Sched, "sched", "", "which goroutine runs next: go, stride, edf, lottery, quantum or an import path (default go)")
	f.StringVar(&s.Sockets, "sockets", "", byDefault("link sockets: auto (if the program uses them), on, off or the import path of a module that has some", d.Sockets))
	f.StringVar(&s.Roots, "roots", "", byDefault("certificate authorities: auto (this machine's, if the program checks certificates), none or a PEM file", d.Roots))
	f.StringVar(&s.FS, "fs", "", byDefault("link files: auto (if the program uses them), on, off or the import path of a module that has some", d.FS))
	f.StringArrayVar(&s.Files, "files", nil, "put a folder or file into the image: FOLDER[:/PATH] (may be repeated)")
	f.StringArrayVar(&s.Disks, "disk", nil, "give the machine a disk and mount its volume: FILE[:/PATH][,format[=KIND]][,ro][,mmp][,bus=virtio|scsi|nvme], at "+config.DataPath+" if neither a path nor a --mount is said, behind virtio if no bus is; with mmp another image that is given the disk is refused while this one runs; FILE,raw[,ro][,bus=...] mounts nothing: the program opens /dev/vda, /dev/sda or /dev/nvme0n1 (may be repeated)")
	f.StringArrayVar(&s.Mounts, "mount", nil, "mount a volume by what it is called: WHICH:/PATH[,format[=KIND]][,ro][,mmp]; WHICH is label=, uuid=, serial=, part= or partuuid=NAME, or a disk's number; or files in memory of their own, mem:/PATH[,size=SIZE], at / those that are there already; a disk without a path is then where this says (may be repeated)")
	f.StringVar(&s.PageCache, "page-cache", "", "memory that the page cache, of volumes and files of the image, may have, and what is never taken from it: MOST[,LEAST], as 64M,8M (default what nobody else needs, and a sixty-fourth of the machine's)")
	f.StringVar(&s.HostName, "hostname", "", "what the image calls itself (default what a DHCP server says, or hardtack)")
	f.StringArrayVar(&s.IP, "ip", nil, "set up a network card of the image: [CARD=]dhcp, off, or ADDRESS/BITS, of IPv4 or IPv6; behind it ,addr=ADDRESS/BITS ,gw=ADDRESS ,dns=ADDRESS ,search=DOMAIN ,slaac=on|off ,probe=fast|full|off; CARD is eth0, eth1 ... or a station address, without it the first card (default dhcp; may be repeated)")
	f.StringVar(&s.Netstat, "netstat", "", "show the image's network at this port of it: http://IMAGE:PORT/, and at /goroutines who waits for it")
	f.StringSliceVar(&s.NTP, "ntp", nil, "set the image's clock by time servers, SERVER[:PORT],..., or dhcp: those that the network names (may be repeated)")
	if boots {
		s.addMachine(f)
	}
	for _, g := range config.GoFlags {
		letter := ""
		if len(g.Name) == 1 {
			letter = g.Name // one dash is for letters
		}
		v := f.VarPF(&goFlag{name: g.Name, all: &s.Go}, g.Name, letter, "go build: "+g.Usage)
		if g.Bool {
			v.NoOptDefVal = "true"
		}
	}
	f.SortFlags = true
}

func (s *shared) allDefaults() config.Settings { return s.defaults.Or(config.Defaults) }

func byDefault(usage string, value any) string { return fmt.Sprintf("%s (default %v)", usage, value) }

// addMachine declares the flags that an image itself knows nothing of.
func (s *shared) addMachine(f *pflag.FlagSet) {
	d := s.allDefaults()
	f.BoolVar(&s.Ephemeral, "ephemeral", false, "forget what is written to disks when the machine ends; tests always do")
	f.StringArrayVar(&s.Net, "net", nil, "a network card of the machine: user, none or tap=NAME (default user, for programs that use sockets; may be repeated)")
	f.StringArrayVarP(&s.Publish, "publish", "p", nil, "lead a port of the host to one of the image: [ADDRESS:]HOST:IMAGE[/udp] (may be repeated)")
	f.StringVar(&s.Machine, "machine", "", byDefault("QEMU's machine: microvm, q35 or pc", d.Machine))
	f.StringVar(&s.Accel, "accel", "", byDefault("how QEMU executes: auto, tcg or kvm", d.Accel))
	f.BoolVar(&s.TraceCalls, "trace-calls", false, "print each call that the program makes to the system")
	f.BoolVar(&s.MissingCalls, "missing-calls", false, "print each call that is not there")
}

// A cpuCount is Settings.CPUs as a flag. Zero stands there for what nobody has
// said, so it is refused here.
type cpuCount int

func (c *cpuCount) String() string { return strconv.Itoa(int(*c)) }
func (c *cpuCount) Type() string   { return "int" }

func (c *cpuCount) Set(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil {
		return fmt.Errorf("want a number from 1 to %d", config.MaxCPUs)
	}
	*c = cpuCount(n)
	return config.CheckCPUs(n)
}

// A goFlag collects a flag for go build in the order of the command line.
type goFlag struct {
	name string
	all  *[]string
}

var _ pflag.Value = (*goFlag)(nil)

func (g *goFlag) String() string { return "" }
func (g *goFlag) Type() string   { return "go" }

func (g *goFlag) Set(v string) error {
	*g.all = append(*g.all, "-"+g.name+"="+v)
	return nil
}

// start applies the flags that concern mkimage itself and returns the builder.
func (s *shared) start(a *app) (*build.Builder, error) {
	if s.chdir != "" {
		if err := os.Chdir(s.chdir); err != nil {
			return nil, err
		}
	}
	if s.NTP != nil && len(s.NTP) == 0 {
		return nil, fmt.Errorf("--ntp: it names no time server")
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	cache, err := build.DefaultCache()
	if err != nil {
		return nil, err
	}
	return &build.Builder{
		GoCmd:    "go",
		Cache:    cache,
		Log:      a.stderr,
		Verbose:  s.verbose,
		Progress: progress.New(a.stderr),
	}, nil
}
