// A hardware-reduced machine whose event device calls other methods, as Cloud Hypervisor's does: the register is one byte and lies
// elsewhere, the button is bit 3, and other bits lead to code that reads and writes hot-plug registers.
DefinitionBlock ("cloud.aml", "DSDT", 6, "HARDTK", "CLOUD", 1)
{
    Device (\_SB.HOTP)
    {
        Name (_HID, EisaId ("PNP0A06"))
        OperationRegion (PRST, SystemIO, 0x0CD8, 0x0C)
        Field (PRST, ByteAcc, NoLock, WriteAsZeros)
        {
            Offset (4),
            CPEN, 1,
            CINS, 1,
            Offset (5),
            CCMD, 8
        }
        Mutex (HLCK, 0)
        Method (SCAN, 0, Serialized)
        {
            Acquire (HLCK, 0xFFFF)
            CCMD = Zero
            While (CINS == One) { CINS = One }
            Release (HLCK)
        }
    }
    Device (\_SB.GEC)
    {
        Name (_HID, EisaId ("PNP0A06"))
        OperationRegion (GEDR, SystemMemory, 0xE8000000, 1)
        Field (GEDR, ByteAcc, NoLock, WriteAsZeros) { GDAT, 8 }
        Method (ESCN, 0, Serialized)
        {
            Local0 = GDAT
            If ((Local0 & 0x01) == 0x01) { \_SB.HOTP.SCAN () }
            Local1 = Local0 & 0x08
            If (Local1 == 0x08) { Notify (\_SB.PWRB, 0x80) }
            Else { If (Local0 == 0x40) { Notify (\_SB.GEC, 0x80) } }
        }
    }
    Device (\_SB.GED)
    {
        Name (_HID, "ACPI0013")
        Name (_CRS, ResourceTemplate ()
        {
            Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 5 }
        })
        Method (_EVT, 1, Serialized) { \_SB.GEC.ESCN () }
    }
    Device (\_SB.PWRB)
    {
        Name (_HID, EisaId ("PNP0C0C"))
    }
    Name (\_S5, Package () { 5, Zero, Zero, Zero })
}
