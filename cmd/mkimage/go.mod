module github.com/hardtack-os/hardtack/cmd/mkimage

go 1.26.0

require (
	github.com/hanwen/go-fuse/v2 v2.12.1
	github.com/hardtack-os/hardtack v0.0.0
	github.com/pelletier/go-toml/v2 v2.4.3
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.9
	golang.org/x/mod v0.42.0
	golang.org/x/sys v0.49.0
	golang.org/x/term v0.47.0
)

require github.com/inconshreveable/mousetrap v1.1.0 // indirect

replace github.com/hardtack-os/hardtack => ../..
