package exo

// The Fixed ACPI Description Table: ACPI 6.5, 5.2.9, table 5.9. Older machines have shorter ones; what a table is too
// short for reads as zero.
type fadt []byte

const (
	fadtDSDT       = 40
	fadtSCI        = 46  // SCI_INT
	fadtSMI        = 48  // SMI_CMD
	fadtEnable     = 52  // ACPI_ENABLE
	fadtPM1aEvent  = 56  // PM1a_EVT_BLK
	fadtPM1bEvent  = 60  // PM1b_EVT_BLK
	fadtPM1aCtl    = 64  // PM1a_CNT_BLK
	fadtPM1EvtLen  = 88  // PM1_EVT_LEN
	fadtFlags      = 112 // fixed feature flags, table 5.10
	fadtReset      = 116 // RESET_REG
	fadtResetValue = 128
	fadtXDSDT      = 140
	fadtXPM1aEvent = 148
	fadtXPM1bEvent = 160
	fadtXPM1aCtl   = 172
	fadtSleepCtl   = 244 // SLEEP_CONTROL_REG
)

const (
	fadtPowerButton = 1 << 4  // PWR_BUTTON: set where the button is not fixed hardware
	fadtResetSup    = 1 << 10 // RESET_REG_SUP
	fadtHWReduced   = 1 << 20 // HW_REDUCED_ACPI
)

func (f fadt) u8(o int) uint8 {
	if o+1 > len(f) {
		return 0
	}
	return f[o]
}

func (f fadt) u16(o int) uint16 {
	if o+2 > len(f) {
		return 0
	}
	return le16(f, o)
}

func (f fadt) u32(o int) uint32 {
	if o+4 > len(f) {
		return 0
	}
	return le32(f, o)
}

func (f fadt) u64(o int) uint64 {
	if o+8 > len(f) {
		return 0
	}
	return le64(f, o)
}

func (f fadt) flags() uint32 { return f.u32(fadtFlags) }

// dsdt is the address of the DSDT: the 64-bit field where it is set.
func (f fadt) dsdt() Phys {
	if x := f.u64(fadtXDSDT); x != 0 {
		return Phys(x)
	}
	return Phys(f.u32(fadtDSDT))
}

// gas reads a Generic Address Structure (5.2.3.2) as a register of width bytes.
func (f fadt) gas(o int, width int) register {
	if o+12 > len(f) {
		return register{}
	}
	r := register{space: f[o], addr: f.u64(o + 4), width: width}
	if r.addr == 0 || r.space > spaceIO {
		return register{}
	}
	return r
}

// block is a fixed register block: the extended field where it is set, else the port in the old one (5.2.9).
func (f fadt) block(ext, old int, width int) register {
	if r := f.gas(ext, width); r.width != 0 {
		return r
	}
	if p := f.u32(old); p != 0 {
		return register{space: spaceIO, addr: uint64(p), width: width}
	}
	return register{}
}
