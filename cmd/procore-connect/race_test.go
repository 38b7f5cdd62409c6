//go:build race

package main

// racing says that the race detector runs, which makes ten thousand companies take minutes.
const racing = true
