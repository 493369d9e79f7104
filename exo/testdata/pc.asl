// A PC with fixed hardware: the sleep type in \_S5 and much that exo steps over.
DefinitionBlock ("pc.aml", "DSDT", 2, "HARDTK", "PC", 1)
{
    External (\_SB.FRGN, MethodObj)
    Alias (\_SB.PCI0, HOST)
    Scope (\)
    {
        OperationRegion (DBGP, SystemIO, 0x0402, One)
        Field (DBGP, ByteAcc, NoLock, Preserve) { DBGB, 8 }
        Method (SHOW, 1, NotSerialized) { DBGB = Arg0 }
    }
    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Mutex (LCK0, 0)
            Event (EVT0)
            OperationRegion (CFG0, PCI_Config, 0x40, 0x20)
            Field (CFG0, AnyAcc, NoLock, Preserve)
            {
                Offset (1),
                AccessAs (WordAcc, 0),
                FLDA, 16,
                , 3,
                FLDB, 5
            }
            IndexField (FLDA, FLDB, ByteAcc, NoLock, Preserve) { IDX0, 8 }
            BankField (CFG0, FLDA, 1, ByteAcc, NoLock, Preserve) { BNK0, 8 }
            Name (BUF0, Buffer (16) { 1, 2, 3, 4 })
            CreateDWordField (BUF0, 4, DWF0)
            CreateByteField (BUF0, 0, BYF0)
            CreateBitField (BUF0, 3, BTF0)
            CreateQWordField (BUF0, 8, QWF0)
            Name (STR0, "a string")
            Name (BIG0, 0x123456789ABCDEF0)
            Name (_PRT, Package ()
            {
                Package () { 0xFFFF, Zero, LNKA, Zero },
                Package () { 0x1FFFF, One, \_SB.LNKA, Zero }
            })
            Device (ISA0)
            {
                Name (_ADR, 0x001F0000)
                Device (COM1)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x03F8, 0x03F8, 0, 8)
                        IRQNoFlags () { 4 }
                    })
                }
                Device (RTC0)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x70, 0x70, 0, 8)
                        IRQ (Level, ActiveLow, Shared) { 8, 10 }
                        DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                            0, 0xB0000000, 0xBFFFFFFF, 0, 0x10000000)
                    })
                }
            }
        }
        Device (LNKA) { Name (_HID, EisaId ("PNP0C0F")) }
        PowerResource (PWR0, 0, 0) { Method (_STA) { Return (One) } }
        ThermalZone (TZ00) { Name (_CRT, 0x0E6F) }
    }
    If (One) { Name (\HIDN, One) }
    Name (\_S5, Package () { 0x06, 0x06, Zero, Zero })
}
