package socket

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// A side is one of two kernels that a test makes the same sockets in.
type side struct {
	w    world
	open []int
	file func(name string) []byte
}

func hostFile(name string) []byte {
	b, _ := os.ReadFile("/proc/net/" + name)
	return b
}

func ourFile(name string) []byte {
	return map[string]func() []byte{
		"dev": procDev, "if_inet6": procAddresses6, "route": procRoutes, "snmp": procSNMP, "netstat": procNetstat, "unix": procUnix,
		"sockstat": func() []byte { return procSockstat(false) }, "sockstat6": func() []byte { return procSockstat(true) },
		"tcp": func() []byte { return procPorts(true, false) }, "tcp6": func() []byte { return procPorts(true, true) },
		"udp": func() []byte { return procPorts(false, false) }, "udp6": func() []byte { return procPorts(false, true) },
	}[name]()
}

func (s *side) socket(t *testing.T, family, kind int, local string) int {
	t.Helper()
	fd, e := s.w.call(syscall.SYS_SOCKET, family, kind|syscall.SOCK_CLOEXEC, 0)
	must(t, "socket", 0, e)
	s.open = append(s.open, fd)
	if local != "" {
		sa := inetAddr(local)
		_, e = s.w.call(syscall.SYS_BIND, fd, sa, len(sa))
		must(t, "bind to "+local, 0, e)
	}
	return fd
}

func (s *side) connect(t *testing.T, fd int, remote string) {
	t.Helper()
	sa := inetAddr(remote)
	_, e := s.w.call(syscall.SYS_CONNECT, fd, sa, len(sa))
	must(t, "connect to "+remote, 0, e)
}

func (s *side) close() {
	for _, fd := range s.open {
		s.w.call(syscall.SYS_CLOSE, fd)
	}
	s.open = nil
}

// freePorts is the first of n ports that nobody of the host listens at.
func freePorts(t *testing.T, n int) int {
next:
	for range 100 {
		base := 10000 + rand.IntN(20000)
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprint(":", base+i))
			if err != nil {
				continue next
			}
			l.Close()
		}
		return base
	}
	t.Fatal("no ports are free")
	return 0
}

// TestProcNetAgainstLinux makes the same sockets here and in the host's kernel. What /proc/net says of them is the same, byte by byte, but for what numbers them.
func TestProcNetAgainstLinux(t *testing.T) {
	sides := []*side{{w: world{kernel: host}, file: hostFile}, {w: world{kernel: posix.Call}, file: ourFile}}
	defer func() {
		for _, s := range sides {
			s.close()
		}
	}()
	base := freePorts(t, 8)
	port := func(i int) string { return fmt.Sprint(base + i) }
	for _, s := range sides {
		l := s.socket(t, syscall.AF_INET, syscall.SOCK_STREAM, "127.0.0.1:"+port(0))
		_, e := s.w.call(syscall.SYS_LISTEN, l, 7)
		must(t, "listen", 0, e)
		c := s.socket(t, syscall.AF_INET, syscall.SOCK_STREAM, "127.0.0.1:"+port(1))
		s.connect(t, c, "127.0.0.1:"+port(0))
		a, e := s.w.call(syscall.SYS_ACCEPT, l, 0, 0)
		must(t, "accept", 0, e)
		s.open = append(s.open, a)
		hello := buffer(5)
		_, e = s.w.call(syscall.SYS_WRITE, c, hello, 5)
		must(t, "write", 0, e)
		_, e = s.w.call(syscall.SYS_SHUTDOWN, a, syscall.SHUT_WR)
		must(t, "shutdown", 0, e)
		waiting := s.socket(t, syscall.AF_INET, syscall.SOCK_STREAM, "127.0.0.1:"+port(2))
		s.connect(t, waiting, "127.0.0.1:"+port(0)) // nobody accepts it

		six := s.socket(t, syscall.AF_INET6, syscall.SOCK_STREAM, "[::]:"+port(3))
		_, e = s.w.call(syscall.SYS_LISTEN, six, 7)
		must(t, "listen", 0, e)
		mapped := s.socket(t, syscall.AF_INET6, syscall.SOCK_STREAM, "[::ffff:127.0.0.1]:"+port(4))
		s.connect(t, mapped, "[::ffff:127.0.0.1]:"+port(3))

		s.socket(t, syscall.AF_INET, syscall.SOCK_DGRAM, "0.0.0.0:"+port(5))
		u := s.socket(t, syscall.AF_INET6, syscall.SOCK_DGRAM, "[::1]:"+port(6))
		s.connect(t, u, "[::1]:"+port(7))

		for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
			x, e := s.w.call(syscall.SYS_SOCKET, syscall.AF_UNIX, kind, 0)
			must(t, "socket", 0, e)
			s.open = append(s.open, x)
			sa := buffer(2 + 1 + 20)
			sa[0] = syscall.AF_UNIX
			copy(sa[3:], fmt.Sprintf("hardtack-%d-%05d", kind, base))
			_, e = s.w.call(syscall.SYS_BIND, x, sa, len(sa))
			must(t, "bind", 0, e)
			if kind == syscall.SOCK_STREAM {
				_, e = s.w.call(syscall.SYS_LISTEN, x, 7)
				must(t, "listen", 0, e)
			}
		}
	}
	mine := regexp.MustCompile(fmt.Sprintf(`^ *\d+: .*:(%s) |@hardtack-.*%05d`, func() string {
		var ports []string
		for i := range 8 {
			ports = append(ports, fmt.Sprintf("%04X", base+i))
		}
		return strings.Join(ports, "|")
	}(), base))
	number := regexp.MustCompile(`^([0-9a-f]{16}: [0-9A-F]{8}|\d+:)`)
	tail := regexp.MustCompile(`( +\d+){2} [0-9a-f]{16}.*$`) // inode, references, and what is the kernel's own
	inode := regexp.MustCompile(` +\d+ +@`)
	unread := strings.NewReplacer(" 08 00000000:00000001", " 08 00000000:00000000") // the host counts the peer's FIN as a byte
	read := func(name string) (heads [2]string, said [2][]string) {
		for i, s := range sides {
			for n, l := range strings.SplitAfter(string(s.file(name)), "\n") {
				if n == 0 {
					heads[i] = l
				}
				if !mine.MatchString(l) {
					continue
				}
				length := len(l)
				l = inode.ReplaceAllString(tail.ReplaceAllString(strings.TrimSpace(l), ""), " @")
				l = unread.Replace(number.ReplaceAllString(l, ""))
				if name == "tcp" || name == "udp" {
					l += fmt.Sprint(" of ", length) // there they are filled up
				}
				said[i] = append(said[i], l)
			}
			slices.Sort(said[i])
		}
		return heads, said
	}
	for name, want := range map[string]int{"tcp": 5, "tcp6": 3, "udp": 1, "udp6": 1, "unix": 2} {
		for try := 0; ; try++ { // until acknowledgments have gone round, which the host delays
			heads, said := read(name)
			if heads[0] == heads[1] && slices.Equal(said[0], said[1]) && len(said[1]) == want {
				break
			}
			if try == 100 {
				t.Fatalf("%s: the host says\n%s%q\nwe say\n%s%q", name, heads[0], said[0], heads[1], said[1])
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// TestProcNetNumbers: inodes are those of the descriptors, and what went over the loopback interface is counted.
func TestProcNetNumbers(t *testing.T) {
	s := &side{w: world{kernel: posix.Call}, file: ourFile}
	defer s.close()
	u := s.socket(t, syscall.AF_INET, syscall.SOCK_DGRAM, "127.0.0.1:0")
	var st syscall.Stat_t
	posix.Fstat(u, &st)
	if want := fmt.Sprintf(" %d 1 0000000000000000 0", st.Ino); !strings.Contains(string(ourFile("udp")), want) {
		t.Errorf("no %q in %s", want, ourFile("udp"))
	}
	count := func() (bytes, packets int) {
		if _, err := fmt.Sscanf(regexp.MustCompile(`lo: *(\d+ +\d+)`).FindStringSubmatch(string(ourFile("dev")))[1], "%d %d", &bytes, &packets); err != nil {
			t.Fatal(err)
		}
		return bytes, packets
	}
	was := interfaces
	defer func() { interfaces = was }()
	interfaces = listInterfaces
	octets := func() (in, out int) {
		if _, err := fmt.Sscanf(regexp.MustCompile(`(?m)^IpExt: InOctets OutOctets\nIpExt: (.*)$`).FindStringSubmatch(string(ourFile("netstat")))[1], "%d %d", &in, &out); err != nil {
			t.Fatal(err)
		}
		return in, out
	}
	b0, p0 := count()
	in, out := octets()
	to := inetAddr(fmt.Sprintf("127.0.0.1:%d", portOf(&s.w, u)))
	for range 10 {
		_, e := s.w.call(syscall.SYS_SENDTO, u, buffer(100), 100, 0, to, len(to))
		must(t, "sendto", 0, e)
	}
	if b, p := count(); b-b0 != 10*(100+8+20+14) || p-p0 != 10 {
		t.Errorf("%d bytes and %d packets", b-b0, p-p0)
	}
	if in2, out2 := octets(); in2-in != 10*(100+8+20) || out2-out != 10*(100+8+20) {
		t.Errorf("%d octets in and %d out", in2-in, out2-out)
	}
	for _, f := range sysInterfaces() {
		if f.Name == "lo/statistics/tx_packets" && string(f.Contents()) != fmt.Sprintln(p0+10) {
			t.Errorf("%s: %s", f.Name, f.Contents())
		}
	}
	if got := string(ourFile("if_inet6")); !strings.Contains(got, "00000000000000000000000000000001 01 80 10 80       lo\n") {
		t.Error(got)
	}
	if got := string(ourFile("snmp")); !regexp.MustCompile(`(?m)^Tcp: CurrEstab InSegs OutSegs`).MatchString(got) {
		t.Error(got)
	}
}

// TestSockstat: sockets are counted by kind and family, as long as they are there.
func TestSockstat(t *testing.T) {
	s := &side{w: world{kernel: posix.Call}, file: ourFile}
	defer s.close()
	number := func(file, line, name string) (n int) {
		m := regexp.MustCompile("(?m)^" + line + ":.* " + name + ` (\d+)`).FindStringSubmatch(string(ourFile(file)))
		if m == nil {
			t.Fatalf("no %s of %s in %s", name, line, ourFile(file))
		}
		fmt.Sscan(m[1], &n)
		return n
	}
	for _, kind := range []struct {
		family, kind int
		local        string
		file, line   string
	}{{syscall.AF_INET, syscall.SOCK_DGRAM, "127.0.0.1:0", "sockstat", "UDP"}, {syscall.AF_INET, syscall.SOCK_STREAM, "127.0.0.1:0", "sockstat", "TCP"}, {syscall.AF_INET6, syscall.SOCK_DGRAM, "[::1]:0", "sockstat6", "UDP6"}} {
		before, used := number(kind.file, kind.line, "inuse"), number("sockstat", "sockets", "used")
		fd := s.socket(t, kind.family, kind.kind, kind.local)
		if kind.kind == syscall.SOCK_STREAM {
			_, e := s.w.call(syscall.SYS_LISTEN, fd, 7)
			must(t, "listen", 0, e)
		}
		if n, all := number(kind.file, kind.line, "inuse"), number("sockstat", "sockets", "used"); n != before+1 || all != used+1 {
			t.Errorf("%s: %d, then %d; %d sockets, then %d", kind.line, before, n, used, all)
		}
	}
}
