//go:build linux && !hardtack

package image

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBalloon asks a program under load for half of the machine's memory and gives it back; then it asks for what cannot be had. The judge of what
// came back is the host's kernel: how much of the machine's memory is resident in QEMU.
func TestBalloon(t *testing.T) {
	for name, more := range map[string][]string{
		"mmio": {"-device", "virtio-balloon-device", "-global", "virtio-mmio.force-legacy=false"},
		"pci":  {"-M", "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on,pcie=on", "-device", "virtio-balloon-pci"}, // no interrupts
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			balloonAndBack(t, more)
		})
	}
}

const (
	balloonMemory  = 128 << 20
	balloonHalf    = balloonMemory / 2
	balloonPatient = 2 * time.Minute // for each condition: the host may be busy
)

func balloonAndBack(t *testing.T, more []string) {
	began := time.Now()
	step := func(s string) { t.Logf("%5.1f s: %s", time.Since(began).Seconds(), s) }
	sock := filepath.Join(t.TempDir(), "qmp")
	b := start(t, "balloon", machine{cpus: 2, limit: 5 * balloonPatient, more: append(more, "-qmp", "unix:"+sock+",server=on,wait=off")})
	b.until(t, "12288 in the cache")
	q := dialQMP(t, sock)
	order := func(s, answer string) {
		t.Helper()
		fmt.Fprintln(b.stdin, s)
		b.until(t, answer)
	}

	order("touch", "touched")
	step("touched")
	full, process := b.resident(t)
	if full < balloonMemory*6/10 {
		t.Fatalf("%d MiB resident though the program used more", full>>20)
	}
	q.balloon(t, balloonHalf)
	q.wait(t, "the host has its half", func() bool {
		now, _ := b.resident(t)
		return q.actual(t) == balloonHalf && now <= balloonHalf+balloonHalf/20
	})
	half, after := b.resident(t)
	t.Logf("of %d MiB resident %d are left; the process had %d and has %d", full>>20, half>>20, process>>20, after>>20)
	if after >= process {
		t.Error("the process has not become smaller")
	}
	step("has half")
	order("20000", "worked") // and it goes on, in what is left

	step("worked in half")

	// More than there can be. A balloon of all memory but a page is asked for, and what the program needs stays.
	q.balloon(t, 4096)
	least := q.actual(t)
	q.wait(t, "the host has what can be had", func() bool { least = q.actual(t); return least < balloonHalf*3/4 })
	step("has what can be had")
	order("5000", "worked")
	if now := q.actual(t); now < balloonMemory/8 {
		t.Errorf("the program is left %d MiB", now>>20)
	}

	step("worked in little")

	// A host that cannot make up its mind.
	for i := range 20 {
		q.balloon(t, []int64{balloonHalf, balloonMemory - 1<<20, 1 << 20, balloonMemory}[i%4])
		time.Sleep(20 * time.Millisecond)
	}
	q.balloon(t, balloonMemory)
	q.wait(t, "all memory is back", func() bool { return q.actual(t) == balloonMemory })
	step("is back")
	order("20000", "worked")
	order("touch", "touched")
	q.wait(t, "what was touched is resident", func() bool {
		now, _ := b.resident(t)
		return now >= full-full/8
	})
	fmt.Fprintln(b.stdin, "end")
	r := b.wait(t)
	r.want(t, 0, "rounds: true damaged: 0 balloon: <nil>")
	t.Log(r.console[strings.LastIndex(r.console, "cache: {"):])
	smallest := 12288
	for line := range strings.Lines(r.console) { // the cache shrank, and grew again
		var pages, cache, limit int
		if n, _ := fmt.Sscanf(line, "memory: %d pages in the balloon, %d in the cache, limit %d", &pages, &cache, &limit); n == 3 {
			smallest = min(smallest, cache)
			if cache < 2048 {
				t.Errorf("the cache is below its minimum: %q", line)
			}
		}
	}
	if smallest == 12288 || !strings.Contains(r.console[strings.LastIndex(r.console, "memory:"):], " 12288 in the cache, limit 69 MiB") {
		t.Errorf("the cache had at least %d pages; the console ends with %q", smallest, r.console[strings.LastIndex(r.console, "memory:"):])
	}
}

// until waits for a line with a text.
func (b *boot) until(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(b.line(t), text) {
	}
}

// resident is how many bytes of the machine's memory are in the host's, and how many of QEMU in all.
func (b *boot) resident(t *testing.T) (memory, process int64) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", b.cmd.Process.Pid)
	maps, err := os.ReadFile(dir + "smaps")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		t.Fatal(err)
	}
	in := false
	for line := range strings.Lines(string(maps)) {
		var name string
		var n int64
		fmt.Sscanf(line, "%s %d kB", &name, &n)
		switch name {
		case "Size:":
			in = n<<10 >= balloonMemory // the kernel may show what lies beside it as one with it
		case "Rss:":
			if in {
				memory = max(memory, n<<10)
			}
		}
	}
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &process); n == 1 {
			process <<= 10
		}
	}
	if memory == 0 || process == 0 {
		t.Fatal("the host does not say what of QEMU is resident")
	}
	return memory, process
}

// A qmp is a connection to QEMU's monitor.
type qmp struct {
	c net.Conn
	d *json.Decoder
}

func dialQMP(t *testing.T, sock string) *qmp {
	t.Helper()
	c, err := net.Dial("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	q := &qmp{c, json.NewDecoder(c)}
	var greeting any
	q.d.Decode(&greeting)
	q.do(t, `{"execute":"qmp_capabilities"}`, nil)
	return q
}

func (q *qmp) do(t *testing.T, command string, reply any) {
	t.Helper()
	fmt.Fprintln(q.c, command)
	for {
		var a struct {
			Event         string
			Return, Error json.RawMessage
		}
		if err := q.d.Decode(&a); err != nil || a.Error != nil {
			t.Fatalf("%s: %v%s", command, err, a.Error)
		}
		if a.Event == "" {
			if reply != nil {
				json.Unmarshal(a.Return, reply)
			}
			return
		}
	}
}

// balloon asks for a balloon that leaves the machine size bytes.
func (q *qmp) balloon(t *testing.T, size int64) {
	t.Helper()
	q.do(t, fmt.Sprintf(`{"execute":"balloon","arguments":{"value":%d}}`, size), nil)
}

// actual is how much memory the machine has, as it says.
func (q *qmp) actual(t *testing.T) int64 {
	t.Helper()
	var r struct{ Actual int64 }
	q.do(t, `{"execute":"query-balloon"}`, &r)
	return r.Actual
}

// wait waits for a condition.
func (q *qmp) wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(balloonPatient); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in %v it has not come to be that %s; the machine has %d MiB", balloonPatient, what, q.actual(t)>>20)
		}
	}
}
