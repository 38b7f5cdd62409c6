package simulation

import "unsafe"

// past is what a goroutine did before: the number of the last operation that it passed a gate for, in the whole run. A
// goroutine inherits the past of the one that started it.
//
// Goroutines that one event wakes run at once, as those that waited for a secret. If they go on with operations of the same
// name, which has arrived first is chance. Their past tells them apart.
type past struct {
	_         []struct{ key, value string } // what the profiler takes the labels of a goroutine for
	operation uint64
}

// Go has no storage for a goroutine except its labels for the profiler, and no way to read these. The runtime promises
// to keep these two functions: https://go.dev/issue/67401.

//go:linkname label runtime/pprof.runtime_getProfLabel
func label() unsafe.Pointer

//go:linkname setLabel runtime/pprof.runtime_setProfLabel
func setLabel(p unsafe.Pointer)

// lastOperation returns the number of the last operation of this goroutine, 0 if there was none.
func lastOperation() uint64 {
	if p := (*past)(label()); p != nil {
		return p.operation
	}
	return 0
}

// passed notes the last operation of this goroutine.
func passed(operation uint64) { setLabel(unsafe.Pointer(&past{operation: operation})) }
