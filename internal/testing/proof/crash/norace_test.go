//go:build !race

package crash

const racing = false
