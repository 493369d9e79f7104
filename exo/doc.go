// Package exo is the mechanism: the machine's resources as Go values that are held, and nothing else.
//
// It multiplexes and protects; it never abstracts. What a resource is good for, who should have it and for how long are
// questions for those above. Their names are the machine's own: physical addresses, ports, interrupt vectors, global
// system interrupts, bus-device-function numbers, CPU numbers.
//
// # Capabilities
//
// A capability is a value of a type whose fields only exo can fill. A Take function names the resource and its holder (a
// word for error messages), checks everything, and either gives the capability or changes nothing and returns an error that
// says which range, whose it is, and what to do. Bind connects two capabilities. Release gives back. Between these, use is
// unchecked but for one comparison with the range: no lookup, no lock, no allocation.
//
// A capability has one holder. Release, and use from elsewhere at the same moment, is the holder's race to avoid. Narrower
// capabilities, and taking back what is held, will be added at the claim record (claims.go) without changing use.
//
//	call                    rights it gives or needs                errors              cost                     may park
//	TakeFrames              read, write, tell a device the address  Range, Exhausted    zeroing                  no
//	Frames.Bytes, Base      -                                       -                   a load                   no
//	TakeMMIO                load and store in the range             Held, Range, Exh.   a scan of claims         no
//	MMIO.Load*, Store*      -                                       panics with Range   compare, access          no
//	TakePorts, In*, Out*    the same for ports                      Held, Range         as MMIO                  no
//	TakeVector              wait for it                             Exhausted           -                        no
//	Vector.Wait             the vector                              Released            -                        yes
//	TakeLine                route one I/O APIC input                Held, Range, Mach.  first: reads the MADT    no
//	Line.Bind               line and vector (and CPU)               Released, Range     4 register stores        no
//	TakeCPU                 be sent interrupts                      Held, Range         a scan of claims         no
//	TakeTimer, Timer.Wait   a deadline                              Exhausted           -                        Wait
//	TakeFunction            read config space, its BARs, messages   Held, Machine       2 config reads           no
//	Function.BAR, PortBAR   the registers behind one                Held, Machine       10 config accesses       no
//	Function.Bind           function and vector (and CPU)           Released, Range,    first: masks the table   no
//	                                                                Machine
//	Function.Enable         memory access by the device             -                   2 config accesses        no
//	Release (any)           ends the capability                     Released            a scan of claims         no
//	Discover                names, no rights                        in the result       once: see below          no
//	Arm                     -                                       Machine             once: see below          rarely
//	MixEntropy              -                                       -                   a hash                   no
//
// Errors are *HeldError, *RangeError, *ExhaustedError, *ReleasedError and *MachineError.
//
// # How each is protected
//
// By Go types alone, in this form: MMIO pages are mapped for the whole program, and code that reaches for them without a
// capability must use package unsafe. The processor protects against execution (no device page is executable) and page
// zero. There is no IOMMU: holding an enabled Function is trust in its driver.
//
// Some things are exo's own, claimed like any other: the I/O APICs, PCI's configuration space, ACPI's power registers.
// Nothing else may program them. The local APICs, the interrupt table and page tables are the runtime's.
//
// # Interrupts
//
// An interrupt's handler counts and wakes the goroutine in Vector.Wait; it knows no device. Wired lines are therefore
// programmed as edges, and a holder serves its device until it is quiet after Bind and after each Wait (ioapic.go says why).
// Shared PCI pins are not offered: a function needs MSI or MSI-X.
//
// # When it runs
//
// Linking exo costs no instruction before main: there is no init function, no table of drivers, no variable that needs
// code to fill. Everything is found when first asked for, so the linker drops what nobody asks for.
//
//   - Discover runs when a driver first looks for its device: the program's first use of it.
//   - Arm (power-off, reset, power button) runs when a program calls it. Every image has power-off, reset and the button without it: the
//     bottom half reads the fixed tables and knows two patterns of the definition block (exo_acpipower_amd64.go). Arm is for machines
//     on which the patterns fail, and costs about 100 KiB of image.
//
// The power button needs the definition blocks on hardware-reduced machines: the event device's interrupt, register and
// bit are said nowhere else. exo reads their static structure (aml_names.go) and evaluates one method on made-up readings
// (power_button.go) instead of carrying a full interpreter; what it cannot read is an error that names the opcode. The
// result is one load and one mask, so that the handler needs neither AML nor a goroutine parked for ever: such a goroutine
// would show in runtime.NumGoroutine, in tracebacks, and in what the deadlock detector counts. Rejected: arming before main (a tenth
// of the boot budget for something seldom used).
//
// # Hosted
//
// Without the build tag hardtack the machine beneath is a simulated one (Simulate), so that drivers and exo itself are
// tested, raced and fuzzed as ordinary Go. exo/internal/sim is such a machine.
//
// # Specifications
//
// ACPI 6.5; PCI Local Bus 3.0; PCI Express Base 5.0, 7.2.2 (ECAM); Intel SDM vol. 3A, chapter 11 (APIC); VIRTIO 1.2 (in
// exo/virtio). Chapters are cited where they apply.
package exo
