//go:build linux && !hardtack

package exo_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/internal/child"
)

// qemu is a QEMU machine as an exo.Machine: its RAM is mapped here, its registers are reached by QEMU's qtest protocol (one line
// a command). Interrupts are not seen: a wait is a short sleep, which a driver must bear anyway.
type qemu struct {
	t    testing.TB
	ram  []byte
	done chan struct{}

	mu     sync.Mutex // one command at a time
	in     io.Writer
	out    *bufio.Reader
	keep   [][]byte // firmware's memory, copied
	rsdp   uintptr
	mon    net.Conn
	monIn  *json.Decoder
	next   uintptr // frame
	vector int

	mixed  []byte
	power  [2]powerOp
	button buttonReg
}

type powerOp struct {
	kind  int
	addr  uintptr
	value uint32
}

type buttonReg struct {
	kind      int
	addr      uintptr
	mask, ack uint32
}

const (
	qemuRAM    = 64 << 20
	qemuFrames = 32 << 20 // above what firmware uses, below where it leaves tables
)

// startQEMU boots a machine's firmware and waits for its tables.
func startQEMU(t testing.TB, args ...string) *qemu {
	t.Helper()
	bin, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatal("qemu-system-x86_64 is not installed: apt-get install qemu-system-x86")
	}
	dir := t.TempDir()
	file, sock := filepath.Join(dir, "ram"), filepath.Join(dir, "qmp")
	rom := filepath.Join(dir, "rom")
	if err := os.WriteFile(rom, halting(), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-fw_cfg", "name=vgaroms/halt.rom,file="+rom, "-accel", "tcg", "-m", "64M", "-nodefaults", "-no-user-config", "-display", "none", "-net", "none",
		"-object", "memory-backend-file,id=ram,size=64M,share=on,mem-path="+file, "-machine", "memory-backend=ram",
		"-qtest", "stdio", "-qtest-log", "none", "-qmp", "unix:"+sock+",server=on,wait=off")
	cmd := exec.Command(bin, args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	q := &qemu{t: t, done: make(chan struct{}), next: qemuFrames, vector: 48}
	q.in, err = cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	q.out = bufio.NewReader(out)
	if err := child.Start(cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(q.done)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-q.done
		if t.Failed() {
			t.Logf("%s\n%s", cmd, log.Bytes())
		}
	})
	deadline := time.Now().Add(2 * time.Minute)
	for q.mon == nil {
		if q.mon, err = net.Dial("unix", sock); err != nil && time.Now().After(deadline) {
			t.Fatal("no QMP: ", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	q.monIn = json.NewDecoder(q.mon)
	q.qmp("qmp_capabilities")
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if q.ram, err = syscall.Mmap(int(f.Fd()), 0, qemuRAM, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(q.ram) })
	// The root pointer is the last thing that firmware writes of its tables; devices have addresses by then.
	for q.rsdp == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the firmware left no ACPI root pointer")
		}
		time.Sleep(50 * time.Millisecond)
		area := q.read(0xe0000, 0x20000)
		for i := 0; i < len(area); i += 16 {
			if bytes.HasPrefix(area[i:], []byte("RSD PTR ")) {
				q.rsdp = 0xe0000 + uintptr(i)
			}
		}
	}
	q.awaitFirmware(deadline)
	return q
}

// halting is an option ROM that has SeaBIOS halt for good (PCI Firmware Specification 3.0, 5.1): it is run when the tables are there and before there is any driver of a disk, which would be in a test's way.
func halting() []byte {
	rom := make([]byte, 512)
	copy(rom, []byte{0x55, 0xaa, 1, 0xfa, 0xf4, 0xeb, 0xfd}) // CLI; HLT; JMP to the HLT
	for _, b := range rom[:511] {
		rom[511] -= b
	}
	return rom
}

// awaitFirmware returns when the processor has halted with interrupts off, or, where no option ROMs are run, as on microvm, has done nothing else but halt through several ticks of its timer.
func (q *qemu) awaitFirmware(deadline time.Time) {
	for still := 0; still < 30; still++ {
		s, _ := q.qmp("human-monitor-command", "command-line", "info registers").(string)
		var flags uint64
		if _, v, ok := strings.Cut(s, "FL="); ok {
			fmt.Sscanf(v, "%x", &flags)
		}
		switch halted := strings.Contains(s, "HLT=1"); {
		case halted && flags&(1<<9) == 0:
			return
		case !halted:
			still = -1
		}
		if time.Now().After(deadline) {
			q.t.Fatalf("the firmware does not halt: %s", s)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ask sends one command and gives the words after OK.
func (q *qemu) ask(format string, args ...any) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := fmt.Sprintf(format, args...)
	fmt.Fprintln(q.in, line)
	for {
		s, err := q.out.ReadString('\n')
		if err != nil {
			return "" // it has ended
		}
		if s = strings.TrimSpace(s); strings.HasPrefix(s, "IRQ") {
			continue
		}
		if !strings.HasPrefix(s, "OK") {
			q.t.Errorf("qtest: %s: %s", line, s)
		}
		return strings.TrimSpace(strings.TrimPrefix(s, "OK"))
	}
}

func (q *qemu) number(format string, args ...any) uint64 {
	v, _ := strconv.ParseUint(q.ask(format, args...), 0, 64)
	return v
}

func (q *qemu) read(phys, n uintptr) []byte {
	b, err := hex.DecodeString(strings.TrimPrefix(q.ask("read 0x%x 0x%x", phys, n), "0x"))
	if err != nil {
		q.t.Error(err)
	}
	return b
}

// qmp runs a monitor command, with arguments by name and value, and gives what it returns.
func (q *qemu) qmp(command string, args ...any) any {
	named := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		named[args[i].(string)] = args[i+1]
	}
	b, _ := json.Marshal(map[string]any{"execute": command, "arguments": named})
	q.mon.Write(append(b, '\n'))
	for {
		var r map[string]any
		if err := q.monIn.Decode(&r); err != nil || r["error"] != nil {
			q.t.Errorf("QMP %s: %v %v", command, err, r["error"])
			return nil
		}
		if r["return"] != nil {
			return r["return"]
		}
	}
}

func (q *qemu) ends(d time.Duration) bool {
	select {
	case <-q.done:
		return true
	case <-time.After(d):
		return false
	}
}

var widthLetter = map[int]string{1: "b", 2: "w", 4: "l", 8: "q"}

func (q *qemu) Load(va uintptr, width int) uint64 {
	return q.number("read%s 0x%x", widthLetter[width], va)
}
func (q *qemu) Store(va uintptr, width int, v uint64) {
	q.ask("write%s 0x%x 0x%x", widthLetter[width], va, v)
}
func (q *qemu) In(port uint16, width int) uint32 {
	return uint32(q.number("in%s 0x%x", widthLetter[width], port))
}
func (q *qemu) Out(port uint16, width int, v uint32) {
	q.ask("out%s 0x%x 0x%x", widthLetter[width], port, v)
}

// load and store are what the bottom half does with a register that exo named.
func (q *qemu) load(kind int, addr uintptr) uint32 {
	width := 1 << ((kind - 1) % 3)
	if kind <= 3 {
		return q.In(uint16(addr), width)
	}
	return uint32(q.Load(addr, width))
}

func (q *qemu) store(kind int, addr uintptr, v uint32) {
	width := 1 << ((kind - 1) % 3)
	if kind <= 3 {
		q.Out(uint16(addr), width, v)
	} else {
		q.Store(addr, width, uint64(v))
	}
}

// DirectMap: the BIOS area may be ROM over RAM, so it is read through the machine and kept.
func (q *qemu) DirectMap(phys, size uintptr) uintptr {
	if phys < 1<<20 {
		b := q.read(phys, size)
		q.keep = append(q.keep, b)
		return addressOf(b)
	}
	if phys > qemuRAM || size > qemuRAM-phys {
		return 0
	}
	return addressOf(q.ram[phys:])
}

func (q *qemu) MapMMIO(phys, size uintptr) uintptr { return phys }
func (q *qemu) RSDP() uintptr                      { return q.rsdp }
func (q *qemu) Cmdline() string                    { return "" }
func (q *qemu) CPUs() int                          { return 1 }
func (q *qemu) APICID(int) uint32                  { return 0 }

func (q *qemu) Memory(i int) (base, size uint64, kind uint32, ok bool) {
	return 1 << 20, qemuRAM - 1<<20, 1, i == 0
}

func (q *qemu) CountFrames() (free, total uintptr) { return 0, 0 }

func (q *qemu) Frames(n, align uintptr) uintptr {
	p := (q.next + align - 1) &^ (align - 1)
	q.next = p + n*exo.PageSize
	clear(q.ram[p:q.next])
	return p
}

func (q *qemu) FreeFrames(phys, n uintptr) {}
func (q *qemu) VectorAlloc() int           { q.vector++; return q.vector }
func (q *qemu) VectorFree(int)             {}
func (q *qemu) TakeFrame(uintptr) bool     { return false }
func (q *qemu) TakeVector(int) bool        { return false }
func (q *qemu) WakeVector(int)             {}

func (q *qemu) VectorWait(v int, deadline int64) uint64 {
	if deadline >= 0 {
		time.Sleep(time.Millisecond)
	}
	return 1
}

func (q *qemu) SetPower(op, kind int, addr uintptr, value uint32) {
	q.power[op] = powerOp{kind, addr, value}
}

func (q *qemu) PowerButton(v, kind int, addr uintptr, mask, ack uint32) {
	q.button = buttonReg{kind, addr, mask, ack}
}

func (q *qemu) Entropy(p []byte) { q.mixed = append(q.mixed, p...) }
