//go:build !race

package system

const racing = false
