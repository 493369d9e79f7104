package files

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/libos/posix/memfile"
)

// etc makes the files that programs look for in /etc. What --files put there is in their place.
func etc() {
	for name, text := range map[string]string{
		"passwd":        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"group":         "root:x:0:\nnogroup:x:65534:\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
		"os-release":    "NAME=Hardtack\nID=hardtack\nPRETTY_NAME=Hardtack\n",
		"mime.types":    mimeTypes,
		"services":      services,
		"protocols":     protocols,
		"shells":        "",
	} {
		Root.Provide("etc/"+name, func() []byte { return []byte(text) }, nil)
	}
	var hosts, resolver later // of an image without a network
	hosts.be("etc/hosts", func() []byte {
		return []byte("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" + uname(1) + "\n")
	})
	resolver.be("etc/resolv.conf", func() []byte { return nil })
	Root.Provide("etc/localtime", localtime, nil)
	Root.Provide("etc/machine-id", func() []byte { return []byte(machineID() + "\n") }, nil)
	Root.Provide("etc/mtab", procMounts, nil)
	Root.Provide("etc/hostname", func() []byte { return []byte(uname(1) + "\n") }, nil)
	memfile.FoldersTo(func(name string, d memfile.Folder) {
		if name == "/sys/class/net" {
			network.Lock()
			network.interfaces = d.List
			network.Unlock()
		}
	})
	memfile.To(func(name string, f memfile.File) {
		if file, ok := strings.CutPrefix(name, "/proc/net/"); ok {
			network.Lock()
			network.files = append(network.files, networkFile{file, f.Contents})
			network.Unlock()
			return
		}
		switch name {
		case "/etc/hosts":
			hosts.is.Store(&f)
		case "/etc/resolv.conf":
			resolver.is.Store(&f)
		default:
			Root.Provide(strings.TrimPrefix(name, "/"), f.Contents, f.Changed)
		}
	})
}

// machineID is machine-id(5). Nothing here outlives the image, so each boot is a machine of its own, unless --files has the file.
var machineID = sync.OnceValue(func() string { return strings.ReplaceAll(uuid(), "-", "") })

// A later is a file that others may have more to say of, before they are initialised or after it.
type later struct {
	is atomic.Pointer[memfile.File]
}

// be provides it. Until others do, and where nobody does, its contents are what is given here.
func (l *later) be(name string, without func() []byte) {
	Root.Provide(name, func() []byte {
		if f := l.is.Load(); f != nil {
			return f.Contents()
		}
		return without()
	}, func() int64 {
		if f := l.is.Load(); f != nil && f.Changed != nil {
			return f.Changed()
		}
		return 1
	})
}

// mimeTypes are those of files that one serves, by RFCs 4337, 6713, 7158, 7763, 8081, 9239, 9512, 9649 and IANA's list.
const mimeTypes = `application/gzip	gz
application/json	json map
application/manifest+json	webmanifest
application/pdf	pdf
application/wasm	wasm
application/xml	xml
application/yaml	yaml yml
application/zip	zip
audio/mpeg	mp3
audio/ogg	ogg oga opus
font/otf	otf
font/ttf	ttf
font/woff	woff
font/woff2	woff2
image/avif	avif
image/gif	gif
image/jpeg	jpeg jpg
image/png	png
image/svg+xml	svg
image/vnd.microsoft.icon	ico
image/webp	webp
text/css	css
text/csv	csv
text/html	html htm
text/javascript	js mjs
text/markdown	md
text/plain	txt text log
video/mp4	mp4
video/webm	webm
`

// services are names of ports that programs listen to or dial, services(5), by IANA's Service Name and Transport Protocol Port Number Registry.
const services = `echo	7/tcp
echo	7/udp
discard	9/tcp	sink null
discard	9/udp	sink null
daytime	13/tcp
ftp-data	20/tcp
ftp	21/tcp
ssh	22/tcp
telnet	23/tcp
smtp	25/tcp	mail
time	37/tcp
time	37/udp
whois	43/tcp	nicname
tacacs	49/tcp
domain	53/tcp
domain	53/udp
bootps	67/udp
bootpc	68/udp
tftp	69/udp
gopher	70/tcp
finger	79/tcp
http	80/tcp	www
kerberos	88/tcp	kerberos5 krb5
kerberos	88/udp	kerberos5 krb5
pop3	110/tcp	pop-3
sunrpc	111/tcp	portmapper
sunrpc	111/udp	portmapper
nntp	119/tcp
ntp	123/udp
imap2	143/tcp	imap
snmp	161/tcp
snmp	161/udp
snmp-trap	162/udp	snmptrap
bgp	179/tcp
irc	194/tcp
ldap	389/tcp
ldap	389/udp
https	443/tcp
https	443/udp
microsoft-ds	445/tcp
kpasswd	464/tcp
submissions	465/tcp	ssmtp smtps
isakmp	500/udp
syslog	514/udp
printer	515/tcp	spooler
dhcpv6-client	546/udp
dhcpv6-server	547/udp
rtsp	554/tcp
nntps	563/tcp	snntp
submission	587/tcp
ipp	631/tcp
ldaps	636/tcp
domain-s	853/tcp
domain-s	853/udp
rsync	873/tcp
ftps	990/tcp
imaps	993/tcp
pop3s	995/tcp
socks	1080/tcp
openvpn	1194/udp
ms-sql-s	1433/tcp
radius	1812/udp
radius-acct	1813/udp
nfs	2049/tcp
nfs	2049/udp
etcd-client	2379/tcp
etcd-server	2380/tcp
mysql	3306/tcp
ms-wbt-server	3389/tcp
stun	3478/tcp
stun	3478/udp
ipsec-nat-t	4500/udp
sip	5060/tcp
sip	5060/udp
sip-tls	5061/tcp
xmpp-client	5222/tcp
xmpp-server	5269/tcp
mdns	5353/udp
postgresql	5432/tcp	postgres
amqps	5671/tcp
amqp	5672/tcp
x11	6000/tcp
redis	6379/tcp
syslog-tls	6514/tcp
http-alt	8080/tcp	webcache
git	9418/tcp
`

// protocols are names of what IP carries, protocols(5), by IANA's Protocol Numbers.
const protocols = `ip	0	IP
icmp	1	ICMP
igmp	2	IGMP
ipencap	4	IP-ENCAP
tcp	6	TCP
udp	17	UDP
dccp	33	DCCP
ipv6	41	IPv6
ipv6-route	43	IPv6-Route
ipv6-frag	44	IPv6-Frag
rsvp	46	RSVP
gre	47	GRE
esp	50	IPSEC-ESP
ah	51	IPSEC-AH
ipv6-icmp	58	IPv6-ICMP
ipv6-nonxt	59	IPv6-NoNxt
ipv6-opts	60	IPv6-Opts
ospf	89	OSPFIGP
pim	103	PIM
vrrp	112	VRRP
sctp	132	SCTP
udplite	136	UDPLite
mpls-in-ip	137	MPLS-in-IP
`
