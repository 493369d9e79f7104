package files

import (
	"strings"
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
	} {
		Root.Provide("etc/"+name, func() []byte { return []byte(text) }, nil)
	}
	var hosts, resolver later // of an image without a network
	hosts.be("etc/hosts", func() []byte {
		return []byte("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" + uname(1) + "\n")
	})
	resolver.be("etc/resolv.conf", func() []byte { return nil })
	Root.Provide("etc/localtime", localtime, nil)
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
