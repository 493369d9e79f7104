package format

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"html"
)

// gceUnit is what the size of a disk for Google's cloud is a multiple of.
const gceUnit = 1 << 30

// gce returns a disk as Google's cloud imports it: disk.raw of whole GiB in a tar file of GNU's older format, compressed by
// gzip. The zeroes between the disk's ends are a hole (GNU tar manual, "Storing Sparse Files"), which archive/tar does not write.
func gce(s Source) ([]byte, error) {
	d, err := newDisk(s, gceUnit)
	if err != nil {
		return nil, err
	}
	h := make([]byte, 512)
	octal := func(at, n int, v int64) { copy(h[at:], fmt.Sprintf("%0*o\x00", n-1, v)) }
	size := func(at int, v int64) { // beyond 8 GiB in base 256 (GNU tar manual, "Extensions")
		if v < 1<<33 {
			octal(at, 12, v)
			return
		}
		h[at] = 0x80
		binary.BigEndian.PutUint64(h[at+4:], uint64(v))
	}
	stored := int64(len(d.head) + len(d.tail))
	copy(h, "disk.raw")
	octal(100, 8, 0o644)
	octal(108, 8, 0)
	octal(116, 8, 0)
	size(124, stored)
	octal(136, 12, max(s.Time.Unix(), 0))
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	size(386, 0)
	size(398, int64(len(d.head)))
	size(410, d.size-int64(len(d.tail)))
	size(422, int64(len(d.tail)))
	size(483, d.size)
	copy(h[148:], "        ")
	sum := int64(0)
	for _, b := range h {
		sum += int64(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))

	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	for _, part := range [][]byte{h, d.head, d.tail, make([]byte, 1024)} {
		if _, err := z.Write(part); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	return out.Bytes(), err
}

// ova returns a disk as VMware and VirtualBox import machines: a tar file of the machine's description (DMTF DSP0243, Open
// Virtualization Format 1.1), a list of hashes, and the disk as VMDK.
func ova(s Source) ([]byte, error) {
	d, err := newDisk(s, 1<<20)
	if err != nil {
		return nil, err
	}
	name := isoName(s.Name)
	disk, err := vmdk(d, s.ELF, name)
	if err != nil {
		return nil, err
	}
	ovf := []byte(fmt.Sprintf(ovfText, name, len(disk), d.size, html.EscapeString(s.Name)))
	manifest := fmt.Sprintf("SHA256(%s.ovf)= %x\nSHA256(%s.vmdk)= %x\n", name, sha256.Sum256(ovf), name, sha256.Sum256(disk))
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range []struct {
		suffix string
		data   []byte
	}{{".ovf", ovf}, {".mf", []byte(manifest)}, {".vmdk", disk}} {
		if err := w.WriteHeader(&tar.Header{Name: name + f.suffix, Mode: 0o644, Size: int64(len(f.data)), ModTime: s.Time, Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return out.Bytes(), err
}

// ovfText takes the files' name, the disk file's size, the disk's size, and the machine's name.
const ovfText = `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References><File ovf:id="file1" ovf:href="%[1]s.vmdk" ovf:size="%[2]d"/></References>
  <DiskSection>
    <Info>Virtual disks</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="%[3]d" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <VirtualSystem ovf:id="%[4]s">
    <Info>A Hardtack image</Info>
    <Name>%[4]s</Name>
    <OperatingSystemSection ovf:id="102"><Info>Other, 64 bits</Info></OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware</Info>
      <System><vssd:ElementName>Virtual hardware</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemType>vmx-10</vssd:VirtualSystemType></System>
      <Item><rasd:ElementName>1 CPU</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>256 MiB of memory</rasd:ElementName><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>256</rasd:VirtualQuantity></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:ElementName>SATA controller</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>Disk</rasd:ElementName><rasd:HostResource>ovf:/disk/disk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`
