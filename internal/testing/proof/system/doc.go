// Package system simulates the whole system for days in one process, under one seed: all
// functions in sandboxes that crash, freeze and are replaced, with their event sources and
// schedules, people who connect companies by the pages, a crooked Procore, and the
// services of AWS. The functions' code is that which sam deploy uploads. Its seams are the
// connections, the clock, the randomness and the SDK's configuration (wire.Base).
//
// What happens is judged all the time and at the end, when nothing has failed for some
// hours: see judge.go. Rare states must have been reached: see rare.go.
//
//	make simulate SEED=7 T=10m
//
// A failure prints the line that repeats it. See package simulation for how a run works.
package system
