// Package simulation runs real code of several processes under a scheduler, in virtual
// time. The project's tests of concurrency and of faults use it, so that one seed repeats
// what they found.
//
// A [Scenario] sets a [World] up: its processes, and the actors that call the code under
// test in them. The code reaches the outside through seams alone, and all of these are
// the world's: storage by [Tables.Client], all services of AWS by [World.AWS],
// connections by [World.Dial] and [World.DialTransport], time by [Process.Clock],
// randomness by [World.Random]. Each operation waits there at a gate. Then one decision is
// made: whose operation is done next and how it ends, or that time passes, or what else
// happens. A process may crash before and after each operation. Everything else follows
// from the decisions, so a schedule is its decisions.
//
// [FakeProcore] is all of Procore in a world: it serves each request in the turn of the
// actor that sends it, and each of its deliveries is an actor. [Procore] is a smaller one,
// which knows tokens alone.
//
// A world runs in a bubble of testing/synctest. Between two decisions all goroutines
// wait, and one continues after each. Those that time wakes run to their next gate.
//
// An [Exploration] tries many schedules: first without a fault, then every single
// deviation from that, then seeds. It prints the shortest schedule that fails, in a form
// that repeats it.
//
// pkg/tokens has the first scenarios: TestExplore.
package simulation
