package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/cmdline"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/format"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/qemu"
)

func (a *app) runCommand() *cobra.Command {
	var s shared
	var gdb bool
	var capture string
	cmd := &cobra.Command{
		Use:   "run [flags] [PKG | IMAGE] [-- ARGS]",
		Short: "Build a main package into an image, or take a built one, and boot it in QEMU",
		Long: `Run shows the image's console, gives it standard input, and exits with the
program's exit code; 3 says that the machine stopped without one. Ctrl-C presses
the machine's power button, which the program sees as SIGTERM; a second one ends
QEMU. The program has one console: its standard error comes out with its output.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, args, &s, gdb, capture)
		},
	}
	s.add(cmd, true)
	cmd.Flags().BoolVar(&gdb, "gdb", false, "wait for a debugger and print the command that attaches it")
	cmd.Flags().StringVar(&capture, "pcap", "", "write what goes over the network card to this `file`, for Wireshark or tcpdump; what goes over a second one to file.eth1, and so on")
	return cmd
}

func (a *app) run(cmd *cobra.Command, args []string, s *shared, gdb bool, capture string) error {
	b, err := s.start(a)
	if err != nil {
		return err
	}
	path, err := qemu.Find()
	if err != nil {
		return err
	}
	var what []string
	what, s.Args = splitDash(cmd, args)
	m := &qemu.Machine{QEMU: path, Pcap: capture}
	var outbox *qemu.Outbox
	symbols := "" // the program for a debugger
	if err := missingImage(what); err != nil {
		return err
	}
	if len(what) == 1 && isELF(what[0]) {
		symbols = what[0]
		err = fromImage(m, what[0], s)
	} else if err = otherFormat(what); err == nil {
		symbols, outbox, err = fromPackage(cmd.Context(), m, b, what, s)
	}
	if err != nil {
		return err
	}
	if gdb {
		if m.GDB, err = freePort(); err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "mkimage: waiting for a debugger: gdb -ex 'target remote 127.0.0.1:%d' %s\n", m.GDB, symbols)
	}
	if s.verbose {
		fmt.Fprintln(a.stderr, build.ShellJoin(m.CommandLine()))
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, stopSignals...)
	defer signal.Stop(stop)
	a.status, err = m.Run(cmd.Context(), qemu.IO{Stdin: a.stdin, Stdout: a.stdout, Trace: a.stderr, Log: a.stderr, Stop: stop, Outbox: outbox})
	return err
}

// fromPackage builds a package's image and sets the machine up for it. It returns
// the program with symbols, and where files that leave the image go.
func fromPackage(ctx context.Context, m *qemu.Machine, b *build.Builder, pkg []string, s *shared) (string, *qemu.Outbox, error) {
	prog, err := b.Program(ctx, build.Request{Package: pkg, Flags: s.Settings, Outbox: true, Check: func(all config.Settings) error { return setMachine(m, all) }})
	if err != nil {
		return "", nil, err
	}
	if err := setDevices(m, prog.Settings, prog.Modules); err != nil {
		return "", nil, err
	}
	outbox, err := coverage(prog, s)
	if err != nil {
		return "", nil, err
	}
	return prog.ELF, outbox, bake(m, prog, s)
}

// setMachine makes a machine as settings ask, whatever the image, and refuses what cannot be had here.
func setMachine(m *qemu.Machine, s config.Settings) error {
	m.Type = s.Machine
	m.Memory = int64(s.Memory)
	m.CPUs = s.CPUs
	m.Accel = s.Accel
	if m.Accel == "kvm" {
		if err := qemu.KVM(); err != nil {
			return fmt.Errorf("--accel kvm: KVM cannot be used here: %w; leave the flag out to run without it", err)
		}
	}
	if err := checkCapture(m.Pcap); err != nil {
		return err
	}
	ports, err := config.Ports(s.Publish)
	if err != nil {
		return err
	}
	if err := qemu.PortsFree(ports); err != nil {
		return err
	}
	return m.SetDisks(s)
}

// checkCapture refuses a file that QEMU could not write frames to.
func checkCapture(name string) error {
	if name == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(name)); err != nil || !info.IsDir() {
		return fmt.Errorf("--pcap %s: there is no folder %s", name, filepath.Dir(name))
	}
	info, err := os.Stat(name)
	how := os.O_WRONLY
	switch {
	case err != nil: // QEMU makes it
		if _, err := os.Lstat(name); err == nil {
			return nil // a link that leads nowhere yet
		}
		how |= os.O_CREATE | os.O_EXCL
	case info.IsDir():
		return fmt.Errorf("--pcap %s: it is a folder; name a file", name)
	case !info.Mode().IsRegular():
		return nil // a pipe would want a reader first
	}
	f, bad := os.OpenFile(name, how, 0o666)
	switch {
	case errors.Is(bad, fs.ErrExist): // another made it just now
		return nil
	case bad != nil:
		return fmt.Errorf("--pcap: %w", bad)
	}
	f.Close()
	if err != nil {
		os.Remove(name)
	}
	return nil
}

// setDevices gives a machine what an image of these modules uses.
func setDevices(m *qemu.Machine, s config.Settings, modules []string) error {
	m.Balloon = slices.Contains(modules, build.BalloonModule)
	if err := setNetwork(m, s, build.UsesSockets(modules, s)); err != nil {
		return err
	}
	if m.Pcap != "" && !m.HasCard() {
		return fmt.Errorf("--pcap: the machine has no network card; give it one by --net user")
	}
	return nil
}

// setNetwork gives the machine a network card if somebody wants one, or the image has sockets and nobody wants none.
func setNetwork(m *qemu.Machine, s config.Settings, sockets bool) error {
	ports, err := config.Ports(s.Publish)
	if err != nil {
		return err
	}
	m.Net = s.Net
	if m.Net == nil && sockets {
		m.Net = []string{config.NetUser}
	}
	if len(ports) > 0 && !slices.Contains(m.Net, config.NetUser) {
		if s.Net == nil {
			return fmt.Errorf("--publish: the program uses no sockets, so nobody is behind its ports; leave the flag out, or link sockets by --sockets on")
		}
		return fmt.Errorf("--publish works with --net user only: with %s the host reaches the image by its address", strings.Join(s.Net, ", "))
	}
	m.Ports = ports
	return nil
}

// coverDir is the environment variable that tells a program where its coverage
// data go.
const coverDir = "GOCOVERDIR"

// coverage lets a program that measures its coverage leave the data in the folder
// that GOCOVERDIR names, in the program's environment or else in ours, as go run
// would.
func coverage(prog *build.Program, s *shared) (*qemu.Outbox, error) {
	if !prog.Covered {
		return nil, nil
	}
	dir := os.Getenv(coverDir)
	for _, e := range prog.Settings.Env {
		if v, ok := strings.CutPrefix(e, coverDir+"="); ok {
			dir = v
		}
	}
	if dir == "" {
		return nil, nil // the program says so itself
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s=%s is not a folder: create it, for the coverage data go there", coverDir, dir)
	}
	inside := coverDir + "=" + qemu.OutboxPath
	s.Env = append(s.Env, inside)
	prog.Settings.Env = append(prog.Settings.Env, inside)
	return &qemu.Outbox{Dir: dir}, nil
}

// outputOf is where run leaves the image, which is ELF: that is what it starts. "" where nobody wants it.
func outputOf(output, program string) (string, error) {
	if output == "" || output == os.DevNull {
		return "", nil
	}
	file := build.OutputPath(output, program, ".elf")
	if f, err := format.Find("", filepath.Base(file)); err == nil && f.Name != format.Formats[0].Name {
		return "", fmt.Errorf("-o %s: run starts an ELF image, and leaves that; mkimage build makes a file of format %s", output, f.Name)
	}
	return file, nil
}

// bake writes the image to run and sets the machine's command line. Arguments
// and environment of this run go on the command line, so that one image serves
// for all runs, unless they are too long for it.
func bake(m *qemu.Machine, prog *build.Program, s *shared) error {
	var line cmdline.Line
	line.Program(s.Args, s.Env)
	args, env := prog.File.Args, prog.File.Env
	m.Image = filepath.Join(filepath.Dir(prog.ELF), "image")
	if file, err := outputOf(s.output, prog.Name); err != nil {
		return err
	} else if file != "" {
		m.Image = file
	}
	if len(line.String()) > qemu.MaxAppend || s.output != "" || s.Args != nil && len(s.Args) == 0 {
		args, env = prog.Settings.Args, prog.Settings.Env
		line = cmdline.Line{}
	}
	trace(&line, prog.Settings)
	m.Append = line.String()
	_, err := prog.Recipe(args, env).Write(prog.ELF, m.Image)
	return err
}

// trace asks the image to tell of its calls.
func trace(line *cmdline.Line, s config.Settings) {
	if s.TraceCalls {
		line.Add("trace", "calls")
	}
	if s.MissingCalls {
		line.Add("trace", "missing")
	}
}

// freePort returns a TCP port that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
