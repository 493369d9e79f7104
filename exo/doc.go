// Package exo is the mechanism: the machine's resources as Go values that are held, and nothing else.
//
// It multiplexes and protects; it never abstracts. What a resource is good for, who should have it and for how long are
// questions for those above. Their names are the machine's own: frame numbers, physical addresses, ports, interrupt vectors,
// global system interrupts, bus-device-function numbers, CPU numbers. This page is the specification; each call's page says the rest.
//
// # Capabilities
//
// The names of one kind are a space. A [Cap] is the right to a set of names in one space. exo gives the capability of a whole space once, to
// the program ([Root]) or to the driver that made the space ([NewSpace]); every other comes from [Cap.Derive], with no more names and no more
// rights ([Rights]) than the one it came from. So capabilities form a tree, and each name is in one place of it: free in one capability, derived
// from it, or bound. Who asks for a name that is elsewhere is refused with the holder's word, and nothing is changed.
//
//	    root of the space "frame"             Derive      down: names leave the free ones of one capability for a new one
//	   /            \                         Release     up: a capability, with all below it, back to where it came from
//	"heap"        "net" --- bound: ring       GiveUp      up: some names, which the holder chose
//	                |                         Revoke      up: all that was derived or bound from a capability, which stays
//	             "net/dhcp"                   RevokeRange up: the same for some names
//	                                          Reclaim     up: so many names; the holder is asked which
//
// A capability is a value. Copies are the same capability: they end together. It ends by Release, by a Revoke above, or with its last name, and
// what has ended stays so. A capability has a guaranteed minimum if the one above gave it one ([Cap.Guarantee]); guarantees add up to no more than
// what is guaranteed above, so that each can be kept. They hold against Reclaim. Revoke ends the contract.
//
// # Secure binding
//
// Bind functions turn names into a resource: [Frames], [MMIO], [Ports], [Vector], [Line], [CPU], [Function], or a driver's own ([Space.Bind]). All
// checking is done there, and may scan. Use is one comparison with a length: no lookup, no lock, no allocation. When a binding ends, for whatever reason,
// that length becomes 0, so that the same comparison refuses; only then is it looked up why.
//
// In flight. An access whose comparison came before the end may come after it on another CPU: one, since comparison and access are one step that no
// goroutine is stopped in. Where a binding ends against its holder's will, exo waits for these before the names are anybody else's: it stops all
// goroutines once, each at a safe point, of which that step has none. What a Release by the holder itself overtakes is the holder's race. A device may
// go on with what it was told until its Function is disabled, and a slice of Frames reaches memory that was given back, where CopyIn and CopyOut do not: memory that must be safe
// from its last holder is mapped by page tables ([Pages]), memory that devices write to is kept by a guarantee.
//
// # Visible revocation, and force
//
// [Cap.Reclaim] asks the holder of a capability for so many names, by the handler that it set ([Cap.Handle]): a goroutine of its own, no lock held. The
// handler chooses; what it keeps is not touched. When it returns, panics, or the deadline passes, exo takes what is missing, in an order that is fixed: free names
// from the highest down; those that the holder bound, the youngest binding first; those that it derived, the youngest first. What is bound is unbound
// first. Nothing goes under a guarantee. Each who lost names finds a [Repossession]: what, when, by whom, why, and how the handler had answered; the last 16
// of a capability are kept. A handler that does not return costs its holder the next question, and one goroutine. The clock is a parameter.
//
// # Domains
//
// A [Domain] bundles capabilities, one or more a space, for one part of the program; its Take functions bind from them. [Domain.Sub] hands part to
// another, to any depth, and [Domain.Extend] what has no names worth choosing; a child has what it was granted, and loses it when its parent
// does. The package's Take functions are those of [Root].
// What the program's own domain bound is taken back by Revoke and RevokeRange of its capabilities ([Domain.Caps]): a device that was unplugged.
// Nothing keeps a library from Root but what it imports: a library that has its Domain and not exo's Root is confined by review of its imports, not by a lock.
//
// # Each call
//
// Held, Range and so on are *HeldError, *RangeError. Every call on a capability or resource that has ended gives Revoked (who took it back,
// when, why) or Released; on a zero one, Empty. Cost is in those that a space holds: n capabilities and bindings of one capability, r ranges.
//
//	call                    needs                     errors beside those           cost                        may park
//	Cap.Derive              Derive, what it gives     Rights, Range, Held           log r; Held: n              no
//	Cap.Guarantee           Derive                    Rights, Range, Exhausted      r                           no
//	Cap.Release, Revoke...  -; Derive                 Rights, Range, Held           all that ends, a stop (*)   no
//	Cap.GiveUp              -                         Rights, Range                 all that ends, a stop (*)   no
//	Cap.Reclaim             Derive                    Rights, Exhausted             n log n, a stop (*)         to the deadline
//	Cap.Handle, Err, Names  -                         -                             a copy                      no
//	BindFrames, TakeFrames  Bind, Read, Write         Held, Range, Exhausted        log r; Take: zeroing        no
//	Frames.Bytes, Base      -                         empty                         two loads                   no
//	Frames.CopyIn, CopyOut  -                         false                         compare, copy               no
//	CountFrames             -                         -                             two loads                   no
//	OpenSpares              -                         Range, Exhausted              zeroing 12 bytes a slot     no
//	Spares.Fill, Drop       -                         nil                           as a free frame             no
//	MapSpare                a slot in use             the operation's               as Map                      no
//	TakePages               -                         Range, Exhausted              a record                    no
//	TakePagesAt             its own, what it replaces Range, Exhausted              unmapping what was there    no
//	Pages.Apply             Map, MapLarge: Frames     each its own: PageError       a walk each, a shootdown    no
//	Pages.Dirty             -                         0                             a load a page, a shootdown  no
//	Resident                -                         0                             a walk each                 no
//	Pages.Handle, Pager     -                         -                             a copy of all ranges        no
//	BindMMIO                Bind; Read loads,         Held, Range, Exhausted        log r, mapping              no
//	                        Write stores
//	MMIO.Load*, Store*      -                         panic: Range, Rights          compare, access             no
//	BindPorts, In*, Out*    as MMIO                   as MMIO                       as MMIO                     no
//	BindVector, TakeVector  Bind                      Held, Exhausted               log r                       no
//	Vector.Wait             -                         Busy                          two atomic exchanges        yes
//	NewPredicate            words of held Frames      Range, Empty                  a copy; allocates           no
//	Predicate.Wait          -                         Busy; Err of the Frames       a comparison a term         yes
//	Predicate.Set, Poke     -                         panic (index)                 a store; a look at each     no
//	Vector.Attach, Detach   Frames, MMIO of each step Range, Empty, Exhausted       a copy; then: compare, act  no
//	BindLine                Bind                      Held, Range, Machine          first: reads the MADT       no
//	Line.Bind, Mask         a Vector (and a CPU)      Range                         4 register stores           no
//	BindCPU                 Bind                      Held, Range                   log r                       no
//	CPU.Isolate             a locked goroutine        Range, Busy, Machine          a turn, and a move          4 ms
//	CPU.Share, Wake         -                         -                             an interrupt to that CPU    no
//	CPU.Interrupts          -                         -                             a load                      no
//	CPU.Rest                Isolate                   Busy                          a halt                      yes: the CPU
//	CPU.Hold, Send          Send: a Vector            Range, Exhausted              an interrupt to that CPU    no
//	TakeTimer, Timer.Wait   as TakeVector             Exhausted, Busy               as Vector                   Wait
//	BindFunction            Bind, Read                Held, Machine                 2 config reads              no
//	Function.BAR, PortBAR   -                         Held, Machine                 10 config accesses          no
//	Function.Bind, Mask     a Vector (and a CPU)      Range, Machine                first: masks the table      no
//	Function.Load*          -                         panic                         a config read               no
//	Function.Enable         Write                     panic: Rights                 2 config accesses           no
//	Space.Bind              Bind, what it asks for    Held, Range, Rights           log r; Held: n              no
//	Release of a resource   -                         -                             the hardware's              no
//	Domain.Sub              Derive, what it grants    as Derive and Guarantee       as Derive for each          no
//	Domain.Extend           the same                  Rights, Range, Exhausted      n; frames: zeroing          no
//	Domain.Revoke           its own child             Rights                        as Cap.Release              no
//	Discover                -                         in the result                 once: see below             no
//	Arm                     -                         Machine                       once: see below             rarely
//	MixEntropy              -                         -                             a hash                      no
//
// (*) A stop of all goroutines, once a call, where something was unbound against its holder's will; none otherwise.
//
// # How each is protected
//
//	capabilities       Go types: a Cap's field is filled by this package only
//	secure binding     Go types: the comparison, before each access. Pages: hardware
//	exposed names      Go types: a name is in one place of its space's tree. Frames and vectors: the bottom half's pools, too
//	visible revocation Go types. Vectors, lines, functions: hardware as well; they are masked, and the device loses the bus
//	abort protocol     the same: it is the same end of a binding
//	sub-systems        Go types
//	pages of one's own hardware: an access does what the entry says. Go types: only a range's holder writes its entries, with frames that it holds
//	fault upcalls      hardware: the fault. Go types: the handler is the range's
//	wakeup predicates  Go types
//	CPUs               Go types: who has one. The bottom half: what an isolated one runs
//	CPU time           Go types: names of a space that the dispatcher made (libos/sched/quantum). Hardware: the timer that ends a slice
//	interrupts         Go types: who waits. Hardware: what raises a vector is masked when it ends
//
// Device pages are mapped for the whole program, and code that reaches for them without a capability must use package unsafe. The processor
// protects against execution (no device page is executable) and page zero. There is no IOMMU: holding an enabled Function is trust in
// its driver.
//
// Some things are exo's own, bound like any other and never taken back: the I/O APICs, PCI's configuration space, ACPI's power
// registers. Nothing else may program them. The local APICs, the interrupt table and page tables are the runtime's.
//
// # Interrupts
//
// An interrupt's handler counts and wakes the goroutine in Vector.Wait; it knows no device. Wired lines are therefore
// programmed as edges, and a holder serves its device until it is quiet after Bind and after each Wait (ioapic.go says why).
//
// A vector can do something itself, at once (Vector.Attach): steps that count, store the time, read and write registers of a device, into and from what was bound. They are
// checked when they are attached, and compared with what has ended when they are done. They run on the kernel side, beside goroutines, the
// scheduler and the collector, which cannot hold them back. A vector's number says its priority class; CPU.Hold holds back the classes below, so that
// the highest make a stage that runs while others are masked. Protected by Go types when attached; by hardware, the APIC's task priority, when held back.
//
// Shared PCI pins are not offered: a function needs MSI or MSI-X. A vector that ends masks what was bound to it, and a CPU that ends leaves its
// interrupts to the boot CPU. A vector's next holder may see one interrupt that was on its way: each wait may be for nothing.
//
// # Wakeup predicates
//
// A Predicate is bound once to words of memory and waited for by any of its alternatives; Predicate says when they are looked at. Protected by Go types: a word is
// inside of Frames that were held when the predicate was made, and when they end who waits gets the error.
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
// # Rejected
//
//   - Capabilities as numbers in a table, as in kernels with a protection boundary: each use would look one up. A Go pointer cannot be forged.
//   - A binding that shares its names with others: then no end of one could say that its memory or registers are nobody's.
//   - Counting accesses under way to know when none is: two locked instructions an access. Stopping the world costs only who takes back.
//   - Asking bindings, not capabilities, for names back: a holder with many bindings chooses best over all of them.
//   - Predicates as code that a program downloads: a closure may loop. Terms are data, MaxTerms at most, and a look at them is bounded.
//   - Looking at predicates at every timer tick, as Xok does: an idle machine has no tick.
//   - Zeroing frames when they change hands by name: TakeFrames zeroes; who binds by name asks for what is there.
//
// # Hosted
//
// Without the build tag hardtack the machine beneath is a simulated one (Simulate), so that drivers and exo itself are
// tested, raced and fuzzed as ordinary Go. exo/internal/sim is such a machine. There the step of comparison and access is a lock for readers.
//
// # Specifications
//
// The ideas and their names are those of Engler, Kaashoek and O'Toole, "Exokernel" (SOSP 1995): 3.2 secure bindings, 3.3 visible revocation,
// 3.4 the abort protocol and its repossession vector. ACPI 6.5; PCI Local Bus 3.0; PCI Express Base 5.0, 7.2.2 (ECAM); Intel SDM vol. 3A,
// chapter 11 (APIC); VIRTIO 1.2 (in exo/virtio). Chapters are cited where they apply.
package exo
