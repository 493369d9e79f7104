//go:build linux

package filter

import (
	"errors"
	"syscall"
	"testing"
	"unsafe"
)

// The host's kernel is the judge here: it verifies and runs the same programs, attached to a socket, on the same bytes.

// A judge is a pair of unix datagram sockets. What is written to one arrives at the other as far as the filter there lets it.
type judge struct{ in, out int }

func newJudge(t *testing.T) *judge {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("socketpair: %v", err)
	}
	t.Cleanup(func() { syscall.Close(fds[0]); syscall.Close(fds[1]) })
	j := &judge{fds[0], fds[1]}
	err = j.attach([]Instruction{{Op: RetK, K: 1}})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOPROTOOPT) {
		t.Skipf("NOT JUDGED BY THE KERNEL: this host does not let a program attach filters: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return j
}

// attach gives the program to the kernel, in place of the one before. EINVAL is its verifier's no.
func (j *judge) attach(code []Instruction) error {
	prog := struct {
		n    uint16
		code *Instruction // the same layout as struct sock_filter
	}{uint16(len(code)), unsafe.SliceData(code)}
	_, _, errno := syscall.Syscall6(syscall.SYS_SETSOCKOPT, uintptr(j.out), syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER,
		uintptr(unsafe.Pointer(&prog)), unsafe.Sizeof(prog), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// run sends a packet and returns how much of it arrives; -1 is nothing.
func (j *judge) run(t *testing.T, packet []byte) int {
	t.Helper()
	if _, err := syscall.Write(j.in, packet); err != nil {
		t.Fatalf("write of %d bytes: %v", len(packet), err)
	}
	var b [4096]byte
	n, err := syscall.Read(j.out, b[:])
	switch {
	case err == syscall.EAGAIN:
		return -1
	case err != nil:
		t.Fatal(err)
	}
	return n
}

func TestKernelRuns(t *testing.T) {
	j := newJudge(t)
	r := seeded(2)
	programs, packets := 4000, 25
	if testing.Short() {
		programs = 400
	}
	compared, accepted, extensions := 0, 0, 0
	for n := range programs {
		code := anything(r)
		if n%3 == 0 {
			code = sensible(r)
		}
		p := must(t, code...)
		if err := j.attach(code); err != nil {
			if err == syscall.EINVAL && behindRet(code) {
				continue // a deliberate difference, see TestKernelVerifies
			}
			t.Fatalf("the kernel refuses %v: %v", code, err)
		}
		for range packets {
			packet := someBytes(r)
			if _, extension := slowly(code, packet); extension {
				extensions++ // a deliberate difference: see the package's documentation
				continue
			}
			want := -1
			if keep := p.Run(packet); keep != 0 {
				want = int(min(uint64(keep), uint64(len(packet))))
				accepted++
			}
			if got := j.run(t, packet); got != want {
				t.Fatalf("the kernel keeps %d bytes of %x, Run %d\nprogram %v", got, packet, want, code)
			}
			compared++
		}
	}
	t.Logf("%d packets compared, %d of them accepted; %d left out for a load at an extension", compared, accepted, extensions)
	if accepted < compared/20 || extensions > compared/4 {
		t.Error("the programs are too much alike to show anything")
	}
}

// differences are the programs about which the kernel and Verify disagree on purpose.
var differences = []struct {
	name       string
	code       []Instruction
	ours       Rule // "" is taken
	kernelSays bool // takes it
}{
	{"a protocol number that is not in the packet", []Instruction{{Op: LdAbsH, K: 0xfffff000}, {Op: RetK}}, RuleExtension, true},
	{"a load from the network header", []Instruction{{Op: LdAbsB, K: 0xfff00000}, {Op: RetK}}, RuleExtension, true},
	{"a load from the link header", []Instruction{{Op: LdxMsh, K: 0xffe00000}, {Op: RetK}}, RuleExtension, true},
	// The kernel carries what is written on from an instruction to the next even if that is a RET. Verify does not: no way leads there.
	{"a word written on the only way, behind a RET", []Instruction{
		{Op: Ja, K: 2},           // 0: to 3
		{Op: LdMem},              // 1
		{Op: RetK},               // 2
		{Op: JeqK, Jt: 2, Jf: 0}, // 3
		{Op: St},                 // 4
		{Op: Ja, K: 2},           // 5: to 8
		{Op: LdImm, K: 1},        // 6
		{Op: RetK},               // 7: nothing is written up to here,
		{Op: LdMem},              // 8: but only 5 leads here
		{Op: RetK},               // 9
	}, "", false},
}

func TestKernelVerifies(t *testing.T) {
	j := newJudge(t)
	for _, d := range differences {
		if err := j.attach(d.code); (err == nil) != d.kernelSays {
			t.Errorf("%s: the kernel says %v: it is no longer a difference, or another", d.name, err)
		}
		var broken *RuleError
		if _, err := Verify(d.code); (err == nil) != (d.ours == "") || errors.As(err, &broken) && broken.Rule != d.ours {
			t.Errorf("%s: Verify says %v, want %q", d.name, err, d.ours)
		}
	}
	// Programs that are right, with a few words changed.
	r := seeded(3)
	taken, refused, extensions, rets := 0, 0, 0, 0
	for range 30_000 {
		code := anything(r)
		for range r.IntN(3) {
			in := &code[r.IntN(len(code))]
			switch r.IntN(5) {
			case 0:
				in.Op = uint16(r.IntN(256))
			case 1:
				in.Op = pick(r, operations...)
			case 2:
				in.Op = pick[uint16](r, LdMem, LdxMem, St, DivK, ModK, LshK, RshK, Ja)
				in.K = uint32(r.IntN(40))
			case 3:
				in.K = pick(r, 0, 15, 16, 31, 32, 1<<31, 0xfffffffe, 0xffffffff, uint32(r.IntN(24)), r.Uint32())
			case 4:
				in.Jt, in.Jf = uint8(r.IntN(24)), uint8(r.IntN(24))
			}
		}
		if r.IntN(100) == 0 {
			code[0].Op |= 1 << (8 + r.IntN(8))
		}
		_, ours := Verify(code)
		theirs := j.attach(code)
		if theirs != nil && theirs != syscall.EINVAL {
			t.Fatalf("attach: %v", theirs)
		}
		var broken *RuleError
		switch {
		case ours == nil && theirs == nil:
			taken++
		case ours != nil && theirs != nil:
			refused++
		case theirs == nil && errors.As(ours, &broken) && broken.Rule == RuleExtension:
			extensions++
		case ours == nil && behindRet(code):
			rets++
		default:
			t.Fatalf("the kernel says %v, Verify %v\nprogram %v", theirs, ours, code)
		}
	}
	t.Logf("both take %d and refuse %d; only the kernel takes %d for extensions; only Verify takes %d for words written behind RET", taken, refused, extensions, rets)
	if taken < 1000 || refused < 1000 {
		t.Error("the programs are too much alike to show anything")
	}
}

// behindRet reports whether a program reads a scratch word behind a RET that stands in its middle.
func behindRet(code []Instruction) bool {
	ret := false
	for _, in := range code {
		if ret && (in.Op == LdMem || in.Op == LdxMem) {
			return true
		}
		ret = ret || in.Op == RetK || in.Op == RetA
	}
	return false
}
