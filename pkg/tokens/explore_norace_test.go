//go:build !race

package tokens

const racing = false
