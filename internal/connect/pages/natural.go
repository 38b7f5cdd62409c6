package pages

import (
	"cmp"
	"strings"
)

// natural compares two folded names as people sort them: a run of digits counts as a number, so that "builders 5" comes
// before "builders 10". Numbers have any length, and leading zeros count only between equal names.
func natural(a, b string) int {
	for x, y := a, b; ; {
		var textX, textY, numberX, numberY string
		textX, numberX, x = run(x)
		textY, numberY, y = run(y)
		if c := cmp.Or(strings.Compare(textX, textY), compareNumbers(numberX, numberY)); c != 0 {
			return c
		}
		if x == "" || y == "" {
			return cmp.Or(strings.Compare(x, y), strings.Compare(a, b))
		}
	}
}

// run cuts a text and the number behind it off s.
func run(s string) (text, number, rest string) {
	isDigit := func(r rune) bool { return '0' <= r && r <= '9' }
	start := strings.IndexFunc(s, isDigit)
	if start < 0 {
		return s, "", ""
	}
	end := strings.IndexFunc(s[start:], func(r rune) bool { return !isDigit(r) })
	if end < 0 {
		return s[:start], s[start:], ""
	}
	return s[:start], s[start : start+end], s[start+end:]
}

func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}
