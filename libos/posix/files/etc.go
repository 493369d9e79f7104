package files

import (
	"strings"

	"github.com/hardtack-os/hardtack/libos/fs/proc"
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
	Root.Provide("etc/localtime", localtime, nil)
	Root.Provide("etc/hostname", func() []byte { return []byte(uname(1) + "\n") }, nil)
	memfile.To(func(name string, f memfile.File) {
		if file, ok := strings.CutPrefix(name, "/proc/net/"); ok {
			network.Lock()
			network.files = append(network.files, proc.Make(file, f.Contents))
			network.Unlock()
			return
		}
		Root.Provide(strings.TrimPrefix(name, "/"), f.Contents, f.Changed)
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
