//go:build race

package system

// racing says that the race detector runs, which makes a run ten times slower.
const racing = true
