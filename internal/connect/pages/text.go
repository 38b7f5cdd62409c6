package pages

import (
	"strings"
	"unicode"
)

// Bounds of what is shown, in characters.
const (
	maxText   = 200 // a contact, a name of a thing
	maxName   = 120 // a person or a company
	maxFilter = 60
	maxQuote  = 300 // a message from Procore
)

// clean makes outside text safe within a sentence: one line, no control or direction-changing characters (a name must
// not reverse the words after it), at most max characters.
func clean(s string, max int) string {
	if len(s) > 8*max {
		s = s[:8*max]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) > max {
		return string(runes[:max-1]) + "…"
	}
	return string(runes)
}
