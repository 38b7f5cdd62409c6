//go:build race

package tokens

// racing says that the race detector runs, which makes a schedule ten times
// slower.
const racing = true
