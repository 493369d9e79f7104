// Package sched lets a program say what its goroutines are worth, and lets a module decide in which order they run.
//
// A program makes classes and puts goroutines into them:
//
//	video, err := sched.NewClass(sched.Contract{Name: "video", Tickets: 300, Slice: 5 * time.Millisecond, Period: 20 * time.Millisecond})
//	...
//	sched.Go(video, play)
//
// What a class means is the business of the policy that the image was built with (mkimage build --module libos/sched/stride):
//
//	(none)   Go's own scheduler, at no added cost; classes are accepted and mean nothing
//	stride   shares in proportion to tickets (libos/sched/stride)
//	edf      a slice of every period, guaranteed (libos/sched/edf)
//	lottery  shares by chance, for readers (libos/sched/lottery)
//	quantum  slices of a CPU, held by capability (libos/sched/quantum)
//
// On the host (go run, go test) classes mean nothing either. Contracts are checked everywhere; whether there is room for one
// is only known to a policy.
//
// A goroutine has the class that it was started in or has set; what it starts inherits it. The runtime's goroutines, the
// collector's turns and the libOS's own goroutines have the class [System]; a libOS goroutine that serves a call, or a fault, has the caller's.
// What a timer starts (time.AfterFunc) has the class [Default], as has main.
//
// # Writing a policy
//
// A policy is a type with the five methods of [Policy] and an init function that calls [Register]. It sees tasks, each
// standing for a goroutine (or for a turn of the collector), and answers one question: which ready task runs next on this CPU,
// and until when. It sees no goroutine, no lock and no timer.
//
// The runtime calls it in the middle of scheduling, on the scheduler's own stack, with the scheduler's lock held. So calls come
// one at a time, and a policy
//
//   - may not allocate: make everything beforehand, lists run through Task.Next (the runtime notices an allocation and ends
//     the program with a report that names the call);
//   - may not block: no channels, no mutexes, no sleeping, no output (the runtime ends the program: such calls need a goroutine);
//   - has a few kilobytes of stack, which does not grow;
//   - gives back only tasks that it was given and has not given back since (anything else ends the program with a report);
//   - gives back a task or says when to ask again, as long as it holds any (the same).
//
// Everything else about it is ordinary Go: it is tested on the host over simulated CPUs (libos/sched/schedtest), with the race
// detector and the fuzzer.
//
// Time is monotonic nanoseconds. The time that a policy names is kept exactly: each CPU's timer is set for it, and what then
// runs is preempted where it stands.
package sched
