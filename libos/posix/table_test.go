package posix

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
)

// A thing is an Object that counts what is done to it.
type thing struct {
	released int
	watch    Watchers
}

func (o *thing) Read(*File, []byte) (int, syscall.Errno)  { return 1, 0 }
func (o *thing) Write(*File, []byte) (int, syscall.Errno) { return 2, 0 }
func (o *thing) Ready() Events                            { return In }
func (o *thing) Watchers() *Watchers                      { return &o.watch }
func (o *thing) Stat(*syscall.Stat_t)                     {}
func (o *thing) Release()                                 { o.released++ }

func open(t testing.TB, o Object, flags int) int {
	t.Helper()
	fd, e := Install(o, flags)
	if e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(func() { Close(fd) })
	return fd
}

func TestStandardDescriptors(t *testing.T) {
	for fd := range 3 {
		f := Get(fd)
		if f == nil || f.Object() != Object(&theConsole) || f.Flags()&syscall.O_ACCMODE != syscall.O_RDWR {
			t.Fatalf("%d is %+v", fd, f)
		}
		f.Put()
	}
}

// TestLowest compares the table with the plainest one there is.
func TestLowest(t *testing.T) {
	model := map[int]bool{0: true, 1: true, 2: true}
	lowest := func(from int) int {
		for model[from] {
			from++
		}
		return from
	}
	r := rand.New(rand.NewPCG(1, 2))
	source := open(t, &thing{}, 0)
	model[source] = true
	for range 20000 {
		switch fd := r.IntN(400); r.IntN(5) {
		case 0, 1:
			want := lowest(0)
			if got, e := Dup(source); got != want || e != 0 {
				t.Fatalf("dup gave %d %v, want %d", got, e, want)
			}
			model[want] = true
		case 2:
			want := lowest(fd)
			if got, e := Fcntl(source, syscall.F_DUPFD, fd); got != want || e != 0 {
				t.Fatalf("F_DUPFD %d gave %d %v, want %d", fd, got, e, want)
			}
			model[want] = true
		case 3:
			if fd > 2 && fd != source {
				if e := Close(fd); (e == 0) != model[fd] {
					t.Fatalf("close %d: %v", fd, e)
				}
				delete(model, fd)
			}
		case 4:
			if fd > 2 && fd != source {
				if got, e := Dup3(source, fd, 0); got != fd || e != 0 {
					t.Fatal(got, e)
				}
				model[fd] = true
			}
		}
	}
	for fd := range model {
		if fd > 2 && fd != source {
			Close(fd)
		}
	}
}

func TestManyDescriptors(t *testing.T) {
	const many = 70000
	o := &thing{}
	first := open(t, o, 0)
	for want := first + 1; want < many; want++ {
		if fd, e := Dup(first); fd != want || e != 0 {
			t.Fatal(fd, e, "want", want)
		}
	}
	for fd := first + 1; fd < many; fd++ {
		if e := Close(fd); e != 0 {
			t.Fatal(fd, e)
		}
	}
	if o.released != 0 {
		t.Error("released with a descriptor left")
	}
	Close(first)
	if o.released != 1 {
		t.Error("released", o.released, "times")
	}
}

func TestLimit(t *testing.T) {
	limit := syscall.Rlimit{Cur: 20, Max: MaxFiles}
	var old syscall.Rlimit
	if e := Prlimit(0, rlimitNofile, &limit, &old); e != 0 || old.Cur != MaxFiles {
		t.Fatal(e, old)
	}
	defer Prlimit(0, rlimitNofile, &old, nil)
	o := &thing{}
	fd := open(t, o, 0)
	n := 0
	for ; ; n++ {
		d, e := Dup(fd)
		if e == syscall.EMFILE {
			break
		}
		defer Close(d)
	}
	if n != 16 {
		t.Error(n, "descriptors beside four, limit 20")
	}
	if _, e := Dup3(fd, 20, 0); e != syscall.EBADF {
		t.Error(e)
	}
	if _, e := Fcntl(fd, syscall.F_DUPFD, 20); e != syscall.EINVAL {
		t.Error(e)
	}
	if _, e := Install(o, 0); e != syscall.EMFILE || o.released != 1 {
		t.Error("an object that found no descriptor:", e, o.released)
	}
	if e := Prlimit(0, rlimitNofile, &syscall.Rlimit{Cur: 5, Max: 4}, nil); e != syscall.EINVAL {
		t.Error(e)
	}
	if e := Prlimit(0, rlimitNofile, &syscall.Rlimit{Cur: 5, Max: MaxFiles + 1}, nil); e != syscall.EPERM {
		t.Error(e)
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		flags       int
		read, write syscall.Errno
	}{
		{syscall.O_RDONLY, 0, syscall.EBADF}, {syscall.O_WRONLY, syscall.EBADF, 0}, {syscall.O_RDWR, 0, 0},
	} {
		fd := open(t, &thing{}, c.flags)
		if _, e := Read(fd, nil); e != c.read {
			t.Error(c, e)
		}
		if _, e := Write(fd, nil); e != c.write {
			t.Error(c, e)
		}
		if _, e := Pread(fd, nil, 0); e != syscall.ESPIPE {
			t.Error(e)
		}
		if _, e := Lseek(fd, 0, 0); e != syscall.ESPIPE {
			t.Error(e)
		}
	}
}

// TestCloseRaces closes and reopens a descriptor that others use: an object is never used after its release.
func TestCloseRaces(t *testing.T) {
	const fd = 300
	stop := make(chan bool)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if f := Get(fd); f != nil {
					o := f.Object().(*checked)
					o.mu.Lock()
					if o.gone {
						t.Error("used after release")
					}
					o.mu.Unlock()
					f.Put()
				}
			}
		})
	}
	for range 3000 {
		src := open(t, &checked{}, 0)
		Dup3(src, fd, 0)
		Close(src)
	}
	close(stop)
	wg.Wait()
	Close(fd)
}

type checked struct {
	thing
	mu   sync.Mutex
	gone bool
}

func (o *checked) Release() {
	o.mu.Lock()
	o.gone = true
	o.mu.Unlock()
}
