package pages

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold returns a name in the form in which names are found and sorted: lower case, compatibility characters decomposed
// (Unicode Standard Annex #15), without marks, apostrophes and invisible characters. So a visitor finds a name however
// the keyboard, or the system that the name was copied from, writes it.
func fold(s string) string {
	var b strings.Builder
	for _, r := range decomposed(s) {
		r = unicode.ToLower(r)
		if plain := letter(r); plain != "" {
			b.WriteString(plain)
		} else if !unicode.In(r, unicode.Mn, unicode.Cf) && !strings.ContainsRune("'’‘ʼʹ`", r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func decomposed(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return s
	}
	return norm.NFKD.String(s)
}

// letter returns how a lower-case letter is typed on a keyboard that lacks it, where Unicode does not decompose it.
// Dashes are letters here.
func letter(r rune) string {
	switch r {
	case 'ß':
		return "ss"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	case 'þ':
		return "th"
	case 'ø':
		return "o"
	case 'ł':
		return "l"
	case 'đ', 'ð':
		return "d"
	case 'ħ':
		return "h"
	case 'ŧ':
		return "t"
	case 'ŋ':
		return "n"
	case 'ı':
		return "i"
	case 'ς':
		return "σ"
	case '‐', '‑', '‒', '–', '—', '―', '−':
		return "-"
	}
	return ""
}
