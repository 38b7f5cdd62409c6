//go:build race

package crash

// racing says that the race detector runs, which makes a crash ten times slower.
const racing = true
