// A hardware-reduced machine as QEMU's microvm shapes it: one event register, the button in bit 1.
DefinitionBlock ("reduced.aml", "DSDT", 2, "HARDTK", "REDUCED", 1)
{
    Scope (\_SB)
    {
        Device (EVTS)
        {
            Name (_HID, "ACPI0013")
            Name (_CRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 9 }
            })
            OperationRegion (EREG, SystemMemory, 0xFEA00000, 4)
            Field (EREG, DWordAcc, NoLock, WriteAsZeros) { ESEL, 32 }
            Method (_EVT, 1, Serialized)
            {
                Local0 = ESEL
                If ((Local0 & 0x02) == 0x02) { Notify (PWRB, 0x80) }
            }
        }
        Device (PWRB)
        {
            Name (_HID, "PNP0C0C")
            Name (_UID, Zero)
        }
        Device (VR00)
        {
            Name (_HID, "LNRO0005")
            Name (_UID, 0)
            Name (_CCA, One)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xFEB00000, 0x200)
                Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { 16 }
            })
        }
        Device (VR01)
        {
            Name (_HID, "LNRO0005")
            Name (_UID, 1)
            Name (_STA, 0x0D)
            Method (_CRS)
            {
                Return (ResourceTemplate ()
                {
                    QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                        0, 0xFEB00200, 0xFEB003FF, 0, 0x200)
                    Interrupt (ResourceConsumer, Edge, ActiveLow, Exclusive) { 17 }
                })
            }
        }
        Device (GONE) // not present: _STA says so
        {
            Name (_HID, "LNRO0005")
            Name (_STA, Zero)
            Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadWrite, 0xFEB00400, 0x200) })
        }
    }
    Name (\_S5, Package () { 5, Zero, Zero, Zero })
}
