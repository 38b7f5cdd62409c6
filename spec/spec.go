// Package spec has the transitions that the model of the refresh protocol allows, so that the model, the tests and
// production hold a grant to the same ones. README.md describes the model.
package spec

import _ "embed" // transitions.txt

//go:embed transitions.txt
var transitions string

// Transitions returns transitions.txt, which model.sh writes: one transition a line.
func Transitions() string { return transitions }
