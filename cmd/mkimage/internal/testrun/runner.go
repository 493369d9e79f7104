package testrun

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/cmdline"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/qemu"
	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// Defaults are for tests what config.Defaults are for programs: tests are
// written for machines with more memory.
var Defaults = config.Settings{Memory: 1 << 30, CPUs: 2}

// A Runner runs tests.
type Runner struct {
	Builder  *build.Builder
	QEMU     string
	Settings config.Settings // from flags
	Args     []string        // for the test binaries, as go test takes them
	JSON     bool
	Jobs     int // packages at once
	NoSkips  bool
	Output   string // file or folder for the image of a package's tests; "" keeps it in the cache
	Stdout   io.Writer
	Stderr   io.Writer

	goFlags gotool.Flags
	args    arguments
	skips   []skip
}

// Run tests the packages that patterns name and reports whether all passed. An
// error says that nothing could be tested.
func (r *Runner) Run(ctx context.Context, patterns []string) (ok bool, err error) {
	if err := r.prepare(); err != nil {
		return false, err
	}
	pkgs, err := r.load(ctx, patterns)
	if err != nil {
		return false, err
	}
	if err := r.args.outputs.check(len(pkgs)); err != nil {
		return false, err
	}
	if r.Output != "" && len(pkgs) > 1 {
		return false, fmt.Errorf("-o: it names one image, and there are %d packages: test one at a time", len(pkgs))
	}
	reports := make([]*report, len(pkgs))
	for i := range pkgs {
		reports[i] = &report{done: make(chan struct{})}
	}
	// What streams cannot be in order; all else is.
	stream := r.JSON || r.args.show && (len(pkgs) == 1 || r.Jobs == 1)
	out := &lockedWriter{w: r.Stdout}
	go r.work(ctx, pkgs, reports, stream, out)

	ok = true
	for _, rep := range reports {
		<-rep.done
		if err := r.args.outputs.addProfile(rep.profile); err != nil {
			fmt.Fprintf(&rep.errors, "mkimage: -coverprofile: %v\n", err)
		}
		ok = ok && rep.passed
		r.Stderr.Write(rep.errors.Bytes())
		out.Write(rep.text.Bytes())
	}
	if !ok && !r.JSON {
		fmt.Fprintln(out, "FAIL")
	}
	return ok, ctx.Err()
}

func (r *Runner) prepare() error {
	var err error
	if r.args, err = parseArgs(r.Args); err != nil {
		return err
	}
	if r.skips, err = parseSkips(skipText); err != nil {
		return err
	}
	if r.NoSkips {
		r.skips = nil
	}
	if _, ok := r.args.outputs.files["coverprofile"]; ok && !build.Covered(r.Settings.Go) {
		r.Settings.Go = append(r.Settings.Go, "-cover=true")
	}
	if r.goFlags, err = build.AbsFlags("", r.Settings.Go); err != nil {
		return err
	}
	return cmdline.Check(r.Args, r.Settings.Env)
}

// work tests the packages, Jobs at once.
func (r *Runner) work(ctx context.Context, pkgs []*testPackage, reports []*report, stream bool, out io.Writer) {
	slots := make(chan struct{}, max(r.Jobs, 1))
	for i, p := range pkgs {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			rep := reports[i]
			defer close(rep.done)
			rep.out = &rep.text
			if stream {
				rep.out = out
			}
			r.test(ctx, p, rep)
		}()
	}
}

// A report collects what is to be said about one package.
type report struct {
	out     io.Writer    // where it goes: text, or a stream
	text    bytes.Buffer // for standard output
	errors  bytes.Buffer // for standard error
	passed  bool
	done    chan struct{}
	profile []byte // of coverage
}

// test tests one package. Its lines are go test's.
func (r *Runner) test(ctx context.Context, p *testPackage, rep *report) {
	if p.Error != nil {
		r.notBuilt(p, rep, fmt.Sprintf("# %s\n%s\n", p.ImportPath, p.Error.Err), setupFailed)
		return
	}
	if !p.hasTests() {
		r.notRun(p, rep, "no test files")
		return
	}
	if reason := skipWhole(r.skips, p.ImportPath); p.Standard && reason != "" {
		r.notRun(p, rep, "skipped: "+reason)
		return
	}
	done := r.Builder.Progress.Step("building the test of " + p.ImportPath)
	m, err := r.image(ctx, p)
	done()
	if err != nil {
		said, verdict := splitVerdict(err.Error())
		r.notBuilt(p, rep, said, verdict)
		return
	}
	done = r.Builder.Progress.Step("testing " + p.ImportPath)
	defer done()
	if r.JSON {
		end, err := r.toJSON(ctx, p, rep)
		if err != nil {
			fmt.Fprintf(&rep.errors, "mkimage: %v\n", err)
			return
		}
		defer end()
	}
	r.boot(ctx, p, m, rep)
}

// What go test says of a package that it cannot compile, and of one that it
// cannot even load.
const (
	buildFailed = "build failed"
	setupFailed = "setup failed"
)

// notBuilt reports a package whose tests cannot be built. said is why.
func (r *Runner) notBuilt(p *testPackage, rep *report, said, verdict string) {
	line := fmt.Sprintf("FAIL\t%s [%s]\n", p.ImportPath, verdict)
	if r.JSON {
		failed := rep.buildEvents(p.ImportPath, said)
		rep.verdict(event{Action: "fail", Package: p.ImportPath, FailedBuild: failed}, line)
		return
	}
	rep.errors.WriteString(said)
	io.WriteString(rep.out, line)
}

// notRun reports a package that has nothing to run.
func (r *Runner) notRun(p *testPackage, rep *report, reason string) {
	rep.passed = true
	line := fmt.Sprintf("?   \t%s\t[%s]\n", p.ImportPath, reason)
	if r.JSON {
		rep.verdict(event{Action: "skip", Package: p.ImportPath}, line)
		return
	}
	io.WriteString(rep.out, line)
}

// goVerdict matches the lines in which go test -c itself tells the end of a
// package that it cannot load.
var goVerdict = regexp.MustCompile(`(?m)^FAIL(\t.*)?(\n|$)`)

// splitVerdict separates what the go command says is wrong from its verdict,
// which is ours to report.
func splitVerdict(said string) (reason, verdict string) {
	verdict = buildFailed
	for _, line := range goVerdict.FindAllString(said, -1) {
		if strings.Contains(line, "["+setupFailed+"]") {
			verdict = setupFailed
		}
	}
	return strings.TrimSpace(goVerdict.ReplaceAllString(said, "")) + "\n", verdict
}

// image compiles a package's test binary into an image and describes the
// machine to run it.
func (r *Runner) image(ctx context.Context, p *testPackage) (*qemu.Machine, error) {
	settings := r.Settings
	if !p.Standard {
		file, err := config.Load(p.folder())
		if err != nil {
			return nil, err
		}
		file.Go, file.Args = nil, nil // they are for the program
		settings = settings.Or(file)
	}
	settings = settings.Or(Defaults).Or(config.Defaults)
	m := &qemu.Machine{
		QEMU: r.QEMU, Type: settings.Machine, Memory: int64(settings.Memory), CPUs: settings.CPUs, Accel: settings.Accel,
		Net: settings.Net, // nobody but who says so: tests talk to themselves
	}
	settings.Ephemeral = true // several tests run at a time, and each finds what was there before all of them
	if err := m.SetDisks(settings); err != nil {
		return nil, err
	}
	var err error
	if m.Ports, err = config.Ports(settings.Publish); err != nil {
		return nil, err
	}
	modules, err := build.Modules(settings)
	if err != nil {
		return nil, err
	}
	modules, imports := r.Builder.ForTests(ctx, p.ctx, p.Package, modules, settings)
	if err := r.Builder.AddRoots(p.ctx, modules, settings.Roots); err != nil {
		return nil, err
	}
	if r.wanted(p.ctx) {
		modules = build.WithOutbox(modules)
	}
	files, err := r.testFiles(p, settings)
	if err != nil {
		return nil, err
	}
	elf, err := r.Builder.CompileTest(ctx, p.ctx, p.Package, modules, imports, files)
	if err != nil {
		return nil, err
	}
	var skip string
	if p.Standard {
		skip = skipPattern(r.skips, p.ImportPath)
		r.tellSkips(p.ImportPath)
	}
	var baked, line cmdline.Line
	baked.Add("name", path.Base(p.ImportPath)+".test")
	args := append(r.outputArgs(p.ctx), r.args.binary(skip, r.JSON)...)
	env := p.environ(settings.Env)
	line.Program(args, env)
	if len(line.String()) > qemu.MaxAppend || r.Output != "" {
		baked.Program(args, env)
		line = cmdline.Line{}
	}
	if settings.TraceCalls {
		line.Add("trace", "calls")
	}
	if settings.MissingCalls {
		line.Add("trace", "missing")
	}
	words, err := settings.Words()
	if err != nil {
		return nil, err
	}
	for _, w := range words {
		line.Add(w.Key, w.Value)
	}
	m.Image, m.Append = filepath.Join(filepath.Dir(elf), "image"), line.String()
	if r.Output != "" {
		m.Image = build.OutputPath(r.Output, path.Base(p.ImportPath)+".test", ".elf")
	}
	recipe := build.Recipe{Memory: settings.Memory, Cmdline: baked.String(), Record: elfimage.Record{
		Package: p.ImportPath, Modules: modules, Memory: settings.Memory.String(), CPUs: settings.CPUs,
	}}
	_, err = recipe.Write(elf, m.Image)
	return m, err
}

func (r *Runner) tellSkips(pkg string) {
	if !r.Builder.Verbose {
		return
	}
	for _, s := range r.skips {
		if s.pkg == pkg {
			fmt.Fprintf(r.Stderr, "mkimage: skipping %s.%s: %s\n", s.pkg, s.test, s.reason)
		}
	}
}

// killGrace is how long after its own timeout a test binary is ended from
// outside.
const killGrace = time.Minute

// boot runs the image and reports how the tests ended.
func (r *Runner) boot(ctx context.Context, p *testPackage, m *qemu.Machine, rep *report) {
	runCtx := ctx
	if r.args.timeout > 0 {
		var cancel context.CancelFunc
		runCtx, cancel = context.WithTimeout(ctx, r.args.timeout+killGrace)
		defer cancel()
	}
	var all bytes.Buffer
	console := io.Writer(&all)
	streaming := r.JSON || rep.out != &rep.text
	if streaming {
		console = io.MultiWriter(&all, rep.out)
	}
	if r.Builder.Verbose {
		fmt.Fprintln(r.Stderr, build.ShellJoin(m.CommandLine()))
	}
	start := time.Now()
	var code int
	var err error
	r.withOutbox(p.ctx, rep, func(box *qemu.Outbox) {
		code, err = m.Run(runCtx, qemu.IO{Stdout: console, Trace: r.Stderr, Log: &rep.errors, Outbox: box})
	})
	seconds := fmt.Sprintf("%.3fs", time.Since(start).Seconds())
	if err == nil && code == 0 {
		rep.passed = true
		if r.args.show && !streaming {
			rep.out.Write(all.Bytes())
		}
		fmt.Fprintf(rep.out, "ok  \t%s\t%s%s\n", p.ImportPath, seconds, remarks(all.Bytes()))
		return
	}
	if !streaming {
		rep.out.Write(all.Bytes())
	}
	if n := all.Len(); n > 0 && all.Bytes()[n-1] != '\n' {
		fmt.Fprintln(rep.out)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Fprintf(rep.out, "*** Test killed: it ran for more than %s and did not obey its own timeout.\n", r.args.timeout+killGrace)
	case err != nil:
		fmt.Fprintf(rep.out, "%v\n", err)
	case all.Len() == 0:
		fmt.Fprintf(rep.out, "exit status %d\n", code)
	}
	fmt.Fprintf(rep.out, "FAIL\t%s\t%s\n", p.ImportPath, seconds)
}

var coverage = regexp.MustCompile(`(?m)^coverage: (.*)$`)

// remarks are what go test adds to the line of a package that passed.
func remarks(output []byte) string {
	var s string
	if m := coverage.FindSubmatch(output); m != nil {
		s = "\tcoverage: " + string(m[1])
	}
	if bytes.Contains(output, []byte("testing: warning: no tests to run\n")) {
		s += " [no tests to run]"
	}
	return s
}

// lockedWriter lets several packages write whole pieces.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
