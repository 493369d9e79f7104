package files

import (
	"encoding/binary"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
)

const (
	leafVersion    = 1
	leafCaches     = 4
	leafFeatures   = 7
	leafXSave      = 13
	leafMore       = 0x80000000
	leafMoreBits   = leafMore + 1
	leafBrand      = leafMore + 2
	leafWidths     = leafMore + 8
	leafMoreCaches = leafMore + 0x1d
)

// features are the bits of CPUID by their names in /proc/cpuinfo, from bit 0 on; "-" is one that has none there. What Linux makes up by itself is not among them.
var features = []struct {
	leaf, sub uint32
	register  int // 0: EAX
	names     string
}{
	{leafVersion, 0, 3, "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe"},
	{leafMoreBits, 0, 3, "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow"},
	{leafVersion, 0, 2, "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor"},
	{leafMoreBits, 0, 2, "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx"},
	{leafFeatures, 0, 1, "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl"},
	{leafXSave, 1, 0, "xsaveopt xsavec xgetbv1 xsaves"},
	{leafFeatures, 0, 2, "- avx512vbmi umip pku - waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - movdiri movdir64b enqcmd sgx_lc"},
	{leafFeatures, 0, 3, "- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - serialize - tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 - - flush_l1d arch_capabilities"},
}

// register gives one of CPUID's, 0 for EAX; 0 where the processor has no such leaf.
func register(leaf, sub uint32, i int) uint32 {
	if most, _, _, _ := cpuid(leaf&leafMore, 0); leaf > most {
		return 0
	}
	ax, bx, cx, dx := cpuid(leaf, sub)
	return [4]uint32{ax, bx, cx, dx}[i]
}

// registers are the bytes of some, in their order.
func registers(leaf uint32, which ...int) (b []byte) {
	for _, i := range which {
		b = binary.LittleEndian.AppendUint32(b, register(leaf, 0, i))
	}
	return b
}

func flags() (list []string) {
	for _, f := range features {
		bits := register(f.leaf, f.sub, f.register)
		for i, name := range strings.Fields(f.names) {
			if bits>>i&1 != 0 && name != "-" {
				list = append(list, name)
			}
		}
	}
	return list
}

// frequency is that of the timestamp counter, in kHz, measured once: it takes 2 ms.
var frequency = sync.OnceValue(func() uint64 {
	from, at := timestamp(), posix.Uptime()
	time.Sleep(2 * time.Millisecond)
	n, ns := timestamp()-from, posix.Uptime()-at
	return n * 1e6 / uint64(max(ns, 1))
})

// procCPUs is cpuinfo: what CPUID says of the processor, for each that Go uses.
func procCPUs() []byte {
	number := strconv.Itoa
	version, sizes := register(leafVersion, 0, 0), register(leafVersion, 0, 1)
	family, model := int(version>>8&15), int(version>>4&15)
	if family >= 6 {
		model += int(version >> 16 & 15 << 4)
	}
	if family == 15 {
		family += int(version >> 20 & 255)
	}
	most, _, _, _ := cpuid(0, 0)
	brand := strings.Trim(string(registers(leafBrand, 0, 1, 2, 3))+string(registers(leafBrand+1, 0, 1, 2, 3))+string(registers(leafBrand+2, 0, 1, 2, 3)), " \x00")
	thousandths := func(n uint64) string {
		return strconv.FormatUint(n/1000, 10) + "." + strconv.FormatUint(1000+n%1000, 10)[1:]
	}
	khz, widths, n := frequency(), register(leafWidths, 0, 0), number(runtime.NumCPU())
	var b strings.Builder
	for i := range runtime.NumCPU() {
		for _, l := range [][2]string{
			{"processor\t", number(i)}, {"vendor_id\t", string(registers(0, 1, 3, 2))}, {"cpu family\t", number(family)}, {"model\t\t", number(model)}, {"model name\t", brand}, {"stepping\t", number(int(version & 15))},
			{"cpu MHz\t\t", thousandths(khz)}, {"physical id\t", "0"}, {"siblings\t", n}, {"core id\t\t", number(i)}, {"cpu cores\t", n}, {"fpu\t\t", "yes"}, {"cpuid level\t", number(int(most))}, {"wp\t\t", "yes"},
			{"flags\t\t", strings.Join(flags(), " ")}, {"bogomips\t", strings.TrimSuffix(thousandths(2*khz/10*10), "0")}, {"clflush size\t", number(int(sizes >> 8 & 255 * 8))},
			{"address sizes\t", number(int(widths&255)) + " bits physical, " + number(int(widths>>8&255)) + " bits virtual"},
		} {
			b.WriteString(l[0] + ": " + l[1] + "\n")
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
