package pages

import (
	"unicode"
	"unicode/utf8"
)

// about is what a page shows about the application before its button: who asks, and for what. All of it is the brand's.
type about struct {
	Tagline, Publisher string
	CanTitle           string
	Can                []string
	Policies           []link
	Marketplace        link // without a URL if there is none
}

// link is a link or a button.
type link struct {
	Label, URL string
	Quiet      bool // beside a more important one
}

func (p *Pages) about() about {
	b, t := p.brand, p.words.about(p.brand)
	a := about{Tagline: b.Tagline, Publisher: t.Publisher, CanTitle: t.CanTitle, Marketplace: link{Label: t.Marketplace, URL: secure(b.MarketplaceURL)}}
	for _, s := range b.Abilities {
		a.Can = append(a.Can, capital(s))
	}
	for _, l := range []link{{Label: t.Privacy, URL: secure(b.PrivacyURL)}, {Label: t.Terms, URL: secure(b.TermsURL)}} {
		if l.URL != "" {
			a.Policies = append(a.Policies, l)
		}
	}
	return a
}

// capital returns s with its first letter in upper case.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// needs lists what the application will be able to do, as lines of a text that end with an empty one. Without abilities
// there are none.
func (w words) needs(b Brand) []string {
	if len(b.Abilities) == 0 {
		return nil
	}
	lines := []string{w.about(b).CanTitle + ":"}
	for _, s := range b.Abilities {
		lines = append(lines, "- "+s)
	}
	return append(lines, "")
}
