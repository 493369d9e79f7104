// Package volume works on cffs volumes in files of the host, without mounting them and without being root: what mkimage fs does.
//
// A place in a volume is written FILE:/PATH. A file that a virtual machine uses is refused. On Linux only.
package volume
