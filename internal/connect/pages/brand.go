package pages

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
)

// Brand is the application's name and appearance.
type Brand struct {
	// Name appears on every page and in the sentences about who does what.
	Name string

	// Tagline is one sentence for what the application does, and Publisher is the company behind it. They are the first
	// that a visitor reads. An empty one shows nothing.
	Tagline, Publisher string

	// Abilities are what the application will be able to do with a connection. Each completes "Acme Connect will be able
	// to": a verb in lower case comes first, and no full stop last. Keep them true when you change what the consumer
	// reads, or WEBHOOK_TRIGGERS. None shows nothing.
	Abilities []string

	// PrivacyURL, TermsURL and MarketplaceURL are the application's privacy policy, its terms of use, and its page on
	// Procore's Marketplace: https addresses. An empty one shows nothing, and neither does one of another scheme.
	PrivacyURL, TermsURL, MarketplaceURL string

	// Logo is one SVG element, shown beside the name and as the tab's icon; empty shows none. It begins with <svg and has
	// xmlns and a viewBox. Its colours are attributes, because the pages allow no style= and no <style>.
	// currentColor is Light.Accent, in the dark scheme too.
	Logo template.HTML

	// Light and Dark are the colours; the visitor's system chooses.
	Light, Dark Palette
}

// Palette is one set of colours, each as #rrggbb. A test computes the contrast of text and background (WCAG 2.2 level
// AA), so that a change of brand can't make a page unreadable.
type Palette struct {
	Page, Card         string // backgrounds
	Text, Muted        string // on Page and Card
	Line               string // decoration
	Border             string // of fields, on Card
	Accent, OnAccent   string // button and links; text on a button
	Good, Warn, Bad    string // notices: text and edge
	GoodBg, WarnBg     string
	BadBg, SelectionBg string
}

// DefaultBrand returns the brand; a fork edits it here and nowhere else. Procore's name and logo are trademarks: an app
// that is listed on the Marketplace may not have that name in its own.
func DefaultBrand() Brand {
	return Brand{
		Name:      "Acme Connect",
		Tagline:   "Keeps your company's other systems up to date with your work in Procore.",
		Publisher: "Acme Software",
		Abilities: []string{
			"read the name of the person who connects, and the names of companies and projects",
			"read RFIs, project details and company users, when they change",
			"ask Procore to report these changes as they happen",
		},
		Logo: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">` +
			`<rect width="32" height="32" rx="8" fill="currentColor"/>` +
			`<g fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round">` +
			`<path d="M7 23V14l6-4.5 6 4.5v9"/><path d="M13 23v-5.5"/><path d="M19 14l6 3.5V23"/><path d="M6 23h20"/></g></svg>`,
		Light: Palette{
			Page: "#f3f5f6", Card: "#ffffff", Text: "#17222b", Muted: "#4d5b66", Line: "#dbe1e5", Border: "#71808c",
			Accent: "#0b5d6e", OnAccent: "#ffffff", Good: "#1b5e34", GoodBg: "#eaf5ee", Warn: "#6d4a00", WarnBg: "#fdf4e0",
			Bad: "#8f1d1d", BadBg: "#fcefee", SelectionBg: "#e9f3f5",
		},
		Dark: Palette{
			Page: "#11171c", Card: "#1a2229", Text: "#e8edf1", Muted: "#a9b6c0", Line: "#2f3b45", Border: "#7d8c98",
			Accent: "#79c8d8", OnAccent: "#082028", Good: "#8fd9a8", GoodBg: "#15291d", Warn: "#f0cb7a", WarnBg: "#2d2513",
			Bad: "#f5a9a4", BadBg: "#331b1b", SelectionBg: "#1d323a",
		},
	}
}

// Variables returns the palette as the custom properties that style.css uses.
func (p Palette) Variables() string {
	return fmt.Sprintf("--page:%s;--card:%s;--text:%s;--muted:%s;--line:%s;--border:%s;--accent:%s;--on-accent:%s;"+
		"--good:%s;--good-bg:%s;--warn:%s;--warn-bg:%s;--bad:%s;--bad-bg:%s;--selection-bg:%s",
		p.Page, p.Card, p.Text, p.Muted, p.Line, p.Border, p.Accent, p.OnAccent,
		p.Good, p.GoodBg, p.Warn, p.WarnBg, p.Bad, p.BadBg, p.SelectionBg)
}

// stylesheet returns the whole style of every page.
func stylesheet(b Brand) template.CSS {
	css, err := files.ReadFile("templates/style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return template.CSS(fmt.Sprintf(":root{color-scheme:light dark;--logo:%s;%s}\n@media (prefers-color-scheme:dark){:root{%s}}\n%s",
		b.Light.Accent, b.Light.Variables(), b.Dark.Variables(), css))
}

// Icon returns the logo as the browser tab's icon.
func (b Brand) Icon() template.URL {
	svg := strings.Replace(string(b.Logo), "<svg", `<svg color="`+b.Light.Accent+`"`, 1)
	return template.URL("data:image/svg+xml," + url.PathEscape(svg))
}

// secure returns an https address, or nothing.
func secure(address string) string {
	if u, err := url.Parse(address); err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil {
		return address
	}
	return ""
}
