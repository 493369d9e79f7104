package main

import (
	"bufio"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

var speedRows = flag.Int("rows", 300, "how many rows the tables have that TestDatabases has SQLite work on")

var kills = flag.Int("kills", 4, "how often TestKilled kills a machine; TestDatabases does a quarter of it for each of three writers")

// TestVolumes gives images disks, whole and broken ones, and boots them again.
func TestVolumes(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os", `
	for _, name := range os.Args[1:] {
		b, err := os.ReadFile(name)
		fmt.Printf("%s: %q %v\n", name, b, err)
		if err := os.WriteFile(name, append(b, 'x'), 0o644); err != nil {
			fmt.Println(err)
		}
	}`))
	v, w := filepath.Join(dir, "v.img"), filepath.Join(dir, "w.img")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", "--label", "mine", v)
	c.want(t, 0, "")

	// What was written without a sync is there when the program ended by itself; an image that is built anew finds it.
	c.mkimage(t, "run", "--disk", v, dir, "--", "/data/f")
	c.want(t, 0, `/data/f: "" open /data/f: no such file or directory`)
	c.mkimage(t, "run", "--disk", v, "--cpus", "2", "--env", "A=B", dir, "--", "/data/f")
	c.want(t, 0, `/data/f: "x" <nil>`)
	c.mkimage(t, "fs", "cat", v+":/f")
	c.want(t, 0, "xx")

	// By label, on another bus; a second disk that is formatted first; nothing is kept of it.
	if err := os.WriteFile(w, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	c.mkimage(t, "run", "--machine", "q35", "--disk", v, "--disk", w+":/w/w,format", "--mount", "label=mine:/m", "--ephemeral", dir, "--", "/m/f", "/w/w/g")
	c.want(t, 0, `/m/f: "xx" <nil>`, `/w/w/g: "" open /w/w/g: no such file or directory`)
	c.mkimage(t, "fs", "cat", v+":/f")
	c.want(t, 0, "xx")
	c.mkimage(t, "fs", "info", w)
	c.want(t, 1, "it is not formatted")
	there := call{dir: dir}
	if err := os.Symlink(w, filepath.Join(dir, "we:ird.img")); err != nil {
		t.Fatal(err)
	}
	there.mkimage(t, "run", "--disk", "we:ird.img:/w,format", dir, "--", "/w/g")
	there.want(t, 0, `/w/g: "" open`)
	c.mkimage(t, "run", "--ephemeral", "--disk", w+":/x/in,ro", "--disk", v+":/x", dir, "--", "/x/in/g", "/x/f") // the outer one comes last
	c.want(t, 0, `/x/in/g: "x" <nil>`, "read-only file system", `/x/f: "xx" <nil>`)
	c.mkimage(t, "fs", "check", w)
	c.want(t, 0, "1 files, 1 folders", "0 problems")

	// A built image has its volumes as the machine that runs it has disks.
	image := filepath.Join(dir, "i.elf")
	c.mkimage(t, "build", "-o", image, "--mount", "label=mine:/m", dir)
	c.want(t, 0, "")
	c.mkimage(t, "run", "--disk", v+":/d", image, "--", "/d/f", "/m/f")
	c.want(t, 0, `/d/f: "xx" <nil>`, "/m is not mounted: ", "is mounted already", "open /m/f: input/output error")
	c.mkimage(t, "run", "--ephemeral", "--disk", v, image, "--", "/m/f", "/data/f")
	c.want(t, 0, `/m/f: "xxx" <nil>`, "open /data/f: no such file or directory")

	// Tests have volumes, too, and leave them as they were.
	if err := os.WriteFile(filepath.Join(dir, "v_test.go"), []byte(`package main

import (
	"os"
	"testing"
)

func TestVolume(t *testing.T) {
	if b, err := os.ReadFile("/data/f"); string(b) != "xxx" || err != nil {
		t.Fatal(string(b), err)
	}
	if err := os.Remove("/data/f"); err != nil {
		t.Fatal(err)
	}
}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c.mkimage(t, "test", "--disk", v, dir)
		c.want(t, 0, "ok")
	}

	// Disks that cannot be mounted.
	foreign := make([]byte, 4<<20)
	copy(foreign[512:], "EFI PART")
	if err := os.WriteFile(w, foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	c.mkimage(t, "run", "--disk", w+":/w,format", dir, "--", "/w/g", "/proc/mounts")
	c.want(t, 0, "/w is not mounted", "GPT partition table", "open /w/g: input/output error", "/proc/mounts")
	if strings.Contains(c.stdout, " /w cffs ") {
		t.Error("what could not be mounted is listed as mounted:", c.stdout)
	}
	c.mkimage(t, "run", "--disk", v, "--mount", "label=other:/o", dir, "--", "/o/g")
	c.want(t, 0, `no disk has label other; disk 0:`, `label "mine"`, "open /o/g: input/output error")
	if b, err := os.ReadFile(w); err != nil || string(b) != string(foreign) {
		t.Error("a foreign disk was written to", err)
	}
	if err := os.WriteFile(w, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	c.mkimage(t, "run", "--disk", v+":/v", "--disk", w+":/w", dir, "--", "/w/g")
	c.want(t, 0, `/w is not mounted: `, `, serial "disk1": it holds no volume that is known here; found zeroes: it is not formatted (,format behind the path has it be formatted)`)
	c.mkimage(t, "run", "--disk", v, "--disk", w, dir)
	c.want(t, 1, "two disks are to be at /data")
	c.mkimage(t, "run", "--disk", v+":/", dir)
	c.want(t, 1, "the root cannot be a volume")
	c.mkimage(t, "run", "--disk", v, "--mount", "name=x:/y", dir)
	c.want(t, 1, "want WHICH:/PATH")
}

// TestDeath lets programs die that have written and not synced. It is all there afterwards, as Linux has it, and the report and the exit code are Go's. What they had open and removed takes up no room of a FAT volume, however they end.
func TestDeath(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os strings sync syscall", `
	if err := os.WriteFile("/data/"+os.Args[1], []byte(strings.Repeat("last words ", 10000)), 0o644); err != nil {
		panic(err)
	}
	if f, err := os.Create("/data/removed"); err != nil {
		panic(err)
	} else if _, err = f.Write(make([]byte, 1<<20)); err != nil {
		panic(err)
	} else if err = os.Remove("/data/removed"); err != nil {
		panic(err)
	} else {
		defer f.Fd() // it stays open
	}
	switch os.Args[1] {
	case "panic":
		panic("at the end")
	case "fault":
		go func() { var p *int; *p = 1 }()
		select {}
	case "many":
		for i := range 20 {
			go func() { panic(fmt.Sprint("one of ", i)) }()
		}
		select {}
	case "exit":
		os.Exit(7)
	case "fatal":
		new(sync.Mutex).Unlock()
	case "pipe":
		var p [2]int
		syscall.Pipe(p[:])
		syscall.Dup2(p[1], 1)
		syscall.Close(p[0])
		fmt.Println("nobody reads this")
		select {}
	case "signal":
		syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
		for {
		}
	}`))
	v, image := filepath.Join(dir, "v.img"), filepath.Join(dir, "i.elf")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", v)
	c.want(t, 0, "")
	c.mkimage(t, "build", "-o", image, "--mount", "0:/data", dir)
	c.want(t, 0, "")
	for _, d := range []struct {
		how, says string
		code      int
	}{
		{"panic", "panic: at the end", 2},
		{"fault", "nil pointer dereference", 2},
		{"many", "panic: one of ", 2},
		{"fatal", "fatal error: sync: unlock of unlocked mutex", 2},
		{"pipe", "", 128 + 13},
		{"signal", "", 128 + 15},
	} {
		for _, cpus := range []string{"1", "2"} {
			c.mkimage(t, "run", "--cpus", cpus, "--disk", v, image, "--", d.how)
			c.want(t, d.code, d.says)
			c.mkimage(t, "fs", "cat", v+":/"+d.how)
			c.want(t, 0, strings.Repeat("last words ", 10000))
			c.mkimage(t, "fs", "rm", v+":/"+d.how)
			c.want(t, 0, "")
		}
	}
	f := filepath.Join(dir, "fat.img")
	c.mkimage(t, "fs", "mkfs", "--fat", "--size", "40M", f)
	c.want(t, 0, "")
	for how, code := range map[string]int{"main": 0, "exit": 7, "panic": 2, "signal": 128 + 15} {
		c.mkimage(t, "run", "--disk", f, image, "--", how)
		c.want(t, code, "")
		c.mkimage(t, "fs", "cat", f+":/"+how)
		c.want(t, 0, strings.Repeat("last words ", 10000))
		out, err := exec.Command("/sbin/fsck.vfat", "-n", f).CombinedOutput() // who dies does not unmount: that is not clean
		if s := string(out); !strings.Contains(s, "clusters") || strings.Contains(s, "eclaimed") || strings.Contains(s, "Free cluster summary") {
			t.Errorf("%s: fsck.vfat (ci/install brings it): %v\n%s", how, err, s)
		}
	}
}

// TestDeathInBubble panics where time stands still.
func TestDeathInBubble(t *testing.T) {
	t.Parallel()
	v := filepath.Join(t.TempDir(), "v.img")
	c := call{dir: tree(t, map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.25\n",
		"x_test.go": "package x\n\nimport (\n\t\"testing\"\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc TestX(t *testing.T) {\n" +
			"\tsynctest.Test(t, func(*testing.T) { time.Sleep(time.Hour); panic(\"in the bubble\") })\n}\n",
	})}
	c.mkimage(t, "fs", "mkfs", "--size", "16M", v)
	c.want(t, 0, "")
	c.mkimage(t, "test", "--disk", v, ".")
	c.want(t, 1, "panic: in the bubble")
}

// writer appends to a log, and replaces a file, each with fsync, and says which number is durable.
const writer = `
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	log, err := os.ReadFile("/data/log")
	if err != nil && !os.IsNotExist(err) {
		panic(err)
	}
	n := 0
	for line := range strings.Lines(string(log)) {
		if v, err := strconv.Atoi(strings.TrimSpace(line)); err != nil || v != n || !strings.HasSuffix(line, "\n") {
			panic(fmt.Sprintf("line %d is %q", n, line))
		}
		n++
	}
	replaced, _ := os.ReadFile("/data/replaced")
	last := -1
	if len(replaced) > 0 {
		last, err = strconv.Atoi(strings.TrimSpace(string(replaced)))
		must(err)
		if len(replaced) != 6000 {
			panic(len(replaced))
		}
	}
	fmt.Println("found", n-1, last)
	f, err := os.OpenFile("/data/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(err)
	for {
		_, err = fmt.Fprintln(f, n)
		must(err)
		must(f.Sync())
		t, err := os.Create("/data/new")
		must(err)
		_, err = fmt.Fprintf(t, "%6000d", n)
		must(err)
		must(t.Sync())
		must(t.Close())
		must(os.Rename("/data/new", "/data/replaced"))
		d, err := os.Open("/data")
		must(err)
		must(d.Sync())
		must(d.Close())
		fmt.Println("durable", n)
		n++
	}`

// TestKilled kills a machine at random moments while a program writes: what the program said to be durable is there when it boots again.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := app(t, program("fmt os strconv strings", writer))
	image := filepath.Join(dir, "i.elf")
	var c call
	c.mkimage(t, "build", "-o", image, "--mount", "0:/data", dir)
	c.want(t, 0, "")
	killed(t, image, "", *kills)
}

// TestDatabases runs bbolt, and SQLite with both of its journals, on a volume and in memory. SQLite does much of all kinds on the volume, and comes to what it comes to on the host. Then machines are killed under them, as by TestKilled.
func TestDatabases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // outside of our workspace
	if err := os.CopyFS(dir, os.DirFS("testdata/databases")); err != nil {
		t.Fatal(err)
	}
	v, image := filepath.Join(dir, "v.img"), filepath.Join(dir, "i.elf")
	var c call
	c.mkimage(t, "build", "-o", image, "--mount", "0:/data", dir)
	c.want(t, 0, "")
	c.mkimage(t, "fs", "mkfs", "--size", "256M", v)
	c.want(t, 0, "")
	c.mkimage(t, "run", "--cpus", "2", "--memory", "256M", "--disk", v, image, "--", "load", "/data")
	c.want(t, 0, "all is well")
	c.mkimage(t, "run", "--cpus", "2", "--memory", "256M", image, "--", "load", "/tmp")
	c.want(t, 0, "all is well")
	rows := strconv.Itoa(*speedRows)
	host := exec.Command("go", "run", ".", "speed", rows, t.TempDir())
	host.Dir = dir
	said, err := host.Output()
	if err != nil || !strings.Contains(string(said), "all is well") {
		t.Fatal(err, string(said))
	}
	c.mkimage(t, "run", "--memory", "256M", "--disk", v, image, "--", "speed", rows, "/data")
	c.want(t, 0, string(said))
	c.mkimage(t, "fs", "check", v)
	c.want(t, 0, "0 problems")
	for _, args := range []string{"bolt", "sqlite wal", "sqlite delete"} {
		killed(t, image, args, max(*kills/4, 1))
	}
}

// killed kills a machine so many times, and boots it once more.
func killed(t *testing.T, image, args string, kills int) {
	t.Helper()
	v := filepath.Join(t.TempDir(), "v.img")
	var c call
	c.mkimage(t, "fs", "mkfs", "--size", "16M", v)
	c.want(t, 0, "")
	line := "arg=" + strings.Join(append(strings.Fields(args), "/data"), " arg=")
	said := regexp.MustCompile(`^(found|durable) (-?\d+)(?: (-?\d+))?$`)
	unended := regexp.MustCompile(`^libos/fs/volumes: cffs: device at \S+: commit \d+ of \S+ did not come to its end: the volume is as the one before left it$`)
	least, total := -1, 0
	for round := range kills + 1 {
		cmd := exec.Command("qemu-system-x86_64", "-M", "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on", "-global", "virtio-mmio.force-legacy=false", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
			"-accel", "tcg", "-cpu", "max", "-m", "128M", "-serial", "stdio", "-drive", "if=none,id=d,format=raw,file="+v, "-device", "virtio-blk-device,drive=d", "-kernel", image, "-append", line)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(cmd); err != nil {
			t.Fatal(err)
		}
		guard := time.AfterFunc(bootLimit, func() { cmd.Process.Kill() })
		later := func() *time.Timer {
			return time.AfterFunc(time.Duration(rand.IntN(int(2*time.Second))), func() { cmd.Process.Kill() })
		}
		var kill *time.Timer
		found := false
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			m := said.FindStringSubmatch(strings.TrimSpace(lines.Text()))
			if m == nil {
				s := strings.TrimSpace(lines.Text())
				if round > 0 && unended.MatchString(s) {
					continue // the kill before came amid a commit, which nobody was told to be durable
				}
				if strings.Contains(s, "panic") || strings.Contains(s, "libos/fs") {
					t.Error(s)
				}
				continue
			}
			n, _ := strconv.Atoi(m[2])
			if m[1] == "durable" {
				if least, total = n, total+1; kill == nil {
					kill = later()
				}
				continue
			}
			last, _ := strconv.Atoi(m[3])
			if found = true; n < least || last < least {
				t.Errorf("%s: round %d: %d was durable, and %d and %d are there", line, round, least, n, last)
			}
			if round > 0 { // once, something is durable
				kill = later()
			}
		}
		cmd.Wait()
		guard.Stop()
		if kill != nil {
			kill.Stop()
		}
		if !found {
			t.Fatalf("%s: round %d: the program did not come so far as to look", line, round)
		}
		c.mkimage(t, "fs", "check", v)
		c.want(t, 0, "0 problems")
		if t.Failed() {
			break
		}
	}
	t.Logf("%s: killed %d times, %d times durable", line, kills, total)
	if total == 0 {
		t.Errorf("%s: nothing was ever durable", line)
	}
}
