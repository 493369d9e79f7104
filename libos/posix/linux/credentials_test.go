package linux

import (
	"slices"
	"syscall"
	"testing"
	"unsafe"
)

// TestCredentialErrors makes calls about who runs the program that change nothing, or have something wrong about them, and lets Linux say what it thinks of them.
func TestCredentialErrors(t *testing.T) {
	type args []any
	const null = 0
	header := func(version uint32, pid int32) capHeader { return capHeader{version, pid} } // each gets his own, which may be written to
	data := unsafe.Pointer(new([2]capData))
	stay := int(-1)
	for _, c := range []struct {
		what string
		nr   uintptr
		a    args
	}{
		{"setreuid nothing", syscall.SYS_SETREUID, args{stay, stay}},
		{"setregid nothing", syscall.SYS_SETREGID, args{stay, stay}},
		{"setresuid nothing", syscall.SYS_SETRESUID, args{stay, stay, stay}},
		{"setresgid nothing", syscall.SYS_SETRESGID, args{stay, stay, stay}},
		{"setuid -1", syscall.SYS_SETUID, args{stay}},
		{"setgid -1", syscall.SYS_SETGID, args{stay}},
		{"getresuid null", syscall.SYS_GETRESUID, args{null, null, null}},
		{"getresgid null", syscall.SYS_GETRESGID, args{data, null, null}},
		{"capget null", syscall.SYS_CAPGET, args{null, null}},
		{"capget of which version", syscall.SYS_CAPGET, args{header(0, 0), null}},
		{"capget version", syscall.SYS_CAPGET, args{header(1, 0), data}},
		{"capget nothing", syscall.SYS_CAPGET, args{header(0x20080522, 0), null}},
		{"capget pid -1", syscall.SYS_CAPGET, args{header(0x20080522, -1), data}},
		{"capget nobody", syscall.SYS_CAPGET, args{header(0x20080522, 1<<30), data}},
		{"capset null", syscall.SYS_CAPSET, args{null, null}},
		{"capset version", syscall.SYS_CAPSET, args{header(1, 0), data}},
		{"capset nothing", syscall.SYS_CAPSET, args{header(0x20080522, 0), null}},
		{"capset another's", syscall.SYS_CAPSET, args{header(0x20080522, 1<<30), data}},
		{"keep capabilities", syscall.SYS_PRCTL, args{syscall.PR_GET_KEEPCAPS}},
		{"keep capabilities twice", syscall.SYS_PRCTL, args{syscall.PR_SET_KEEPCAPS, 2}},
		{"dumpable", syscall.SYS_PRCTL, args{syscall.PR_SET_DUMPABLE, 7}},
		{"signal of death null", syscall.SYS_PRCTL, args{syscall.PR_GET_PDEATHSIG, null}},
		{"signal of death 65", syscall.SYS_PRCTL, args{syscall.PR_SET_PDEATHSIG, 65}},
		{"new privileges", syscall.SYS_PRCTL, args{prGetNoNewPrivs, 0, 0, 0, 0}},
		{"new privileges of what", syscall.SYS_PRCTL, args{prGetNoNewPrivs, 1, 0, 0, 0}},
		{"new privileges after all", syscall.SYS_PRCTL, args{prSetNoNewPrivs, 0, 0, 0, 0}},
		{"capability 64", syscall.SYS_PRCTL, args{syscall.PR_CAPBSET_READ, 64}},
	} {
		var said [2]string
		for i, w := range worlds() {
			a := slices.Clone(c.a)
			if h, ok := a[0].(capHeader); ok {
				a[0] = unsafe.Pointer(&h)
			}
			said[i] = result(w.call(c.nr, a...))
		}
		if said[0] != said[1] {
			t.Errorf("%s: we say %s, Linux %s", c.what, said[0], said[1])
		}
	}
	for _, version := range []uint32{0, 1, 0x19980330, 0x20080522} {
		var after [2]uint32
		for i, w := range worlds() {
			h := &capHeader{version, 0}
			w.call(syscall.SYS_CAPGET, unsafe.Pointer(h), null)
			after[i] = h.version
		}
		if after[0] != after[1] {
			t.Errorf("capget by version %#x says %#x, Linux %#x", version, after[0], after[1])
		}
	}
}

// TestOneUser: root is who it is, and nobody else can be had.
func TestOneUser(t *testing.T) {
	for _, nr := range []uintptr{syscall.SYS_SETUID, syscall.SYS_SETGID, syscall.SYS_SETREUID, syscall.SYS_SETREGID, syscall.SYS_SETRESUID, syscall.SYS_SETRESGID} {
		must(t, 0, second(call(nr, 0, 0, 0)))
		mustFail(t, syscall.EINVAL, second(call(nr, 1000, 1000, 1000)))
	}
	r, e, s := uint32(7), uint32(7), uint32(7)
	must(t, 0, second(call(syscall.SYS_GETRESUID, address(&r), address(&e), address(&s))))
	if r|e|s != 0 {
		t.Error(r, e, s)
	}
	if r, e := call(syscall.SYS_SETFSUID, 1000); r != 0 || e != 0 {
		t.Error(r, e)
	}
	groups := []uint32{0, 5}
	must(t, 0, second(call(syscall.SYS_SETGROUPS, 0, 0)))
	must(t, 0, second(call(syscall.SYS_SETGROUPS, 1, address(&groups[0]))))
	mustFail(t, syscall.EINVAL, second(call(syscall.SYS_SETGROUPS, 2, address(&groups[0]))))
	mustFail(t, syscall.EFAULT, second(call(syscall.SYS_SETGROUPS, 2, 0)))
	mustFail(t, syscall.EINVAL, second(call(syscall.SYS_SETGROUPS, 65537, address(&groups[0]))))
}

// TestCapabilities: all are there, and what is given up is gone.
func TestCapabilities(t *testing.T) {
	c := &credentials
	defer func() {
		c.effective, c.permitted, c.inheritable, c.bounding, c.keep = everyCapability, everyCapability, 0, everyCapability, 0
	}()
	h := &capHeader{version: 0x20080522}
	var d [2]capData
	get := func() [2]capData {
		t.Helper()
		must(t, 0, second(call(syscall.SYS_CAPGET, address(h), address(&d))))
		return d
	}
	all := [2]capData{{effective: 1<<32 - 1, permitted: 1<<32 - 1}, {effective: 1<<9 - 1, permitted: 1<<9 - 1}}
	if get() != all {
		t.Errorf("%x", d)
	}
	d[0].effective, d[1] = 1<<10, capData{}
	want := d
	must(t, 0, second(call(syscall.SYS_CAPSET, address(h), address(&d))))
	if get() != want {
		t.Errorf("%x", d)
	}
	mustFail(t, syscall.EPERM, second(call(syscall.SYS_CAPSET, address(h), address(&all))))
	if get() != want {
		t.Errorf("%x after a refusal", d)
	}
	old := &capHeader{version: 0x19980330}
	d = [2]capData{{1, 2, 3}, {4, 5, 6}}
	must(t, 0, second(call(syscall.SYS_CAPGET, address(old), address(&d))))
	if d != [2]capData{want[0], {4, 5, 6}} {
		t.Errorf("%x by the first version", d)
	}
	prctl := func(option, arg uintptr) int {
		t.Helper()
		r, e := call(syscall.SYS_PRCTL, option, arg)
		must(t, 0, e)
		return r
	}
	if prctl(syscall.PR_SET_KEEPCAPS, 1); prctl(syscall.PR_GET_KEEPCAPS, 0) != 1 {
		t.Error("PR_SET_KEEPCAPS is not remembered")
	}
	if prctl(syscall.PR_CAPBSET_READ, 40) != 1 {
		t.Error("the last capability is not there")
	}
	if prctl(syscall.PR_CAPBSET_DROP, 40); prctl(syscall.PR_CAPBSET_READ, 40) != 0 {
		t.Error("a capability that was dropped is there")
	}
}

func mustFail(t *testing.T, want, e syscall.Errno) {
	t.Helper()
	if e != want {
		t.Errorf("%v, want %v", e, want)
	}
}
