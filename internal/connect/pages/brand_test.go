package pages_test

import (
	"encoding/xml"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/platform/config"
)

// TestContrast computes the contrast ratios of WCAG 2.2 (https://www.w3.org/TR/WCAG22/#contrast-minimum, 1.4.3 for
// text, 1.4.11 for the edges of fields) of both palettes.
func TestContrast(t *testing.T) {
	t.Parallel()
	b := pages.DefaultBrand()
	for scheme, p := range map[string]pages.Palette{"light": b.Light, "dark": b.Dark} {
		pairs := []struct {
			name, text, background string
			least                  float64
		}{
			{"text on page", p.Text, p.Page, 4.5}, {"text on card", p.Text, p.Card, 4.5},
			{"muted on page", p.Muted, p.Page, 4.5}, {"muted on card", p.Muted, p.Card, 4.5},
			{"muted on selection", p.Muted, p.SelectionBg, 4.5}, {"text on selection", p.Text, p.SelectionBg, 4.5},
			{"link on page", p.Accent, p.Page, 4.5}, {"link on card", p.Accent, p.Card, 4.5},
			{"number on its circle", p.Accent, p.SelectionBg, 4.5}, {"button", p.OnAccent, p.Accent, 4.5},
			{"good", p.Good, p.Card, 4.5}, {"warn", p.Warn, p.Card, 4.5}, {"done", p.Good, p.GoodBg, 4.5}, {"danger", p.BadBg, p.Bad, 4.5},
			{"warning", p.Warn, p.WarnBg, 4.5}, {"error", p.Bad, p.BadBg, 4.5}, {"edge of a field", p.Border, p.Card, 3},
		}
		for _, c := range pairs {
			if got := contrast(t, c.text, c.background); got < c.least {
				t.Errorf("%s: %s: contrast %.2f, want at least %.1f", scheme, c.name, got, c.least)
			}
		}
	}
}

// Procore does not list an app whose name contains Procore's.
func TestNameIsNotProcores(t *testing.T) {
	t.Parallel()
	if name := pages.DefaultBrand().Name; strings.Contains(strings.ToLower(name), "procore") {
		t.Errorf("the brand is called %q", name)
	}
}

// TestLogo reports what is wrong with a fork's logo: as an icon it is XML, and the pages allow it no style.
func TestLogo(t *testing.T) {
	t.Parallel()
	if problem := logoProblem(string(pages.DefaultBrand().Logo)); problem != "" {
		t.Errorf("brand.go: the logo %s", problem)
	}
	const good = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><g fill="#fff"/></svg>`
	tests := []struct{ logo, want string }{
		{"", ""},
		{good, ""},
		{`<?xml version="1.0"?>` + good, "begins with something"},
		{"\n" + good, "begins with something"},
		{strings.Replace(good, "xmlns", "x", 1), "has no xmlns"},
		{strings.Replace(good, "viewBox", "x", 1), "has no viewBox"},
		{strings.Replace(good, "fill", "style", 1), "has a style"},
		{strings.Replace(good, "<g", "<style>g{}</style><g", 1), "has a style"},
		{strings.TrimSuffix(good, "</svg>"), "is not well-formed XML"},
		{good + "<", "is not well-formed XML"},
	}
	for _, tt := range tests {
		if got := logoProblem(tt.logo); !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%q: %q, want %q", tt.logo, got, tt.want)
		}
	}
}

func logoProblem(logo string) string {
	var root struct {
		XMLName xml.Name
		ViewBox string `xml:"viewBox,attr"`
	}
	switch err := xml.Unmarshal([]byte("<all>"+logo+"</all>"), new(struct{})); {
	case logo == "":
		return ""
	case !strings.HasPrefix(logo, "<svg"):
		return "begins with something before <svg: remove it"
	case err != nil:
		return "is not well-formed XML: " + err.Error()
	case strings.Contains(logo, "style=") || strings.Contains(logo, "<style"):
		return "has a style, which the pages don't allow: write fill=, stroke= and the like as attributes"
	}
	switch err := xml.Unmarshal([]byte(logo), &root); {
	case err != nil || root.XMLName.Space != "http://www.w3.org/2000/svg":
		return `has no xmlns="http://www.w3.org/2000/svg"`
	case root.ViewBox == "":
		return "has no viewBox, such as viewBox=\"0 0 32 32\", so it can't be scaled"
	}
	return ""
}

func TestNoLogo(t *testing.T) {
	t.Parallel()
	b := pages.DefaultBrand()
	b.Logo = ""
	if got := show(t, pages.New(pages.Site{Brand: b}), problem(pages.Denied())); len(got.all("svg")) != 0 || !strings.Contains(text(got.all("header")[0]), b.Name) {
		t.Errorf("without a logo: %s", got.body)
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance returns the relative luminance of WCAG 2.2.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil || len(colour) != 7 || colour[0] != '#' {
		t.Fatalf("colour %q is not #rrggbb", colour)
	}
	channel := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
}

func TestOwnBrand(t *testing.T) {
	t.Parallel()
	b := pages.DefaultBrand()
	b.Name = "Acme <Sync>"
	got := show(t, pages.New(pages.Site{Brand: b}), problem(pages.Denied()))
	if want := "You didn't allow Acme <Sync> to access Procore, so nothing was connected."; !contains(got, want) {
		t.Errorf("the page lacks %q", want)
	}
}

// contains reports whether a paragraph of the page is s.
func contains(p page, s string) bool {
	for _, n := range p.all("p") {
		if text(n) == s {
			return true
		}
	}
	return false
}

// Who asks, and for what, stands before the button; what a brand leaves out is not there.
func TestBeforeTheButton(t *testing.T) {
	t.Parallel()
	full, bare := pages.DefaultBrand(), pages.DefaultBrand()
	full.Tagline, full.Publisher, full.Abilities = "Copies drawings.", "Site Tools Ltd", []string{"read drawings", "écrire"}
	full.PrivacyURL, full.TermsURL, full.MarketplaceURL = "https://a.example/privacy", "https://a.example/terms", "https://a.example/marketplace"
	bare.Tagline, bare.Publisher, bare.Abilities = "", "", nil
	insecure := bare
	insecure.PrivacyURL, insecure.TermsURL, insecure.MarketplaceURL = "http://a.example/privacy", "javascript:alert(1)", "/marketplace"
	before := []string{"Copies drawings.", "Acme Connect is made by Site Tools Ltd.", "What Acme Connect will be able to do", "Read drawings", "Écrire", "Privacy policy", "Terms of use"}
	for _, to := range []config.Principals{{Users: true}, {ServiceAccount: true}, {ServiceAccount: true, Users: true}} {
		site := func(b pages.Brand) page {
			return show(t, pages.New(pages.Site{PublicURL: publicURL, Brand: b, Principals: to}), (*pages.Pages).Landing)
		}
		shown, at := text(site(full).all("main")[0]), 0
		for _, want := range before {
			i := strings.Index(shown[at:], want)
			if i < 0 {
				t.Errorf("%+v: %q is missing, or not where it belongs:\n%s", to, want, shown)
				continue
			}
			at += i
		}
		if end := max(strings.LastIndex(shown, "Connect to Procore"), strings.LastIndex(shown, "Check")); end < at {
			t.Errorf("%+v: the button comes first:\n%s", to, shown)
		}
		if got := site(full); linkNamed(got, "Privacy policy") != full.PrivacyURL || linkNamed(got, "Terms of use") != full.TermsURL ||
			to.ServiceAccount && linkNamed(got, "Open Acme Connect on the Procore Marketplace") != full.MarketplaceURL {
			t.Errorf("%+v: a link of the brand leads elsewhere", to)
		}
		for _, b := range []pages.Brand{bare, insecure} {
			got := site(b)
			for _, not := range []string{"made by", "will be able", "Privacy", "Terms", "on the Procore Marketplace", "a.example", "javascript"} {
				if strings.Contains(got.body, not) {
					t.Errorf("%+v: a brand without it has %q", to, not)
				}
			}
		}
	}
	got := show(t, pages.New(pages.Site{PublicURL: publicURL, Brand: full}), situations()["choose"])
	if d := got.all("details"); len(d) != 1 || text(d[0]) != "What Acme Connect will be able to do Read drawings Écrire" {
		t.Error("the choice doesn't show what the application will be able to do")
	}
}

// TestBrand reports what is wrong with a fork's texts and addresses.
func TestBrand(t *testing.T) {
	t.Parallel()
	for _, problem := range brandProblems(pages.DefaultBrand()) {
		t.Errorf("brand.go: %s", problem)
	}
	for name, change := range map[string]func(*pages.Brand){
		"http":          func(b *pages.Brand) { b.PrivacyURL = "http://a.example" },
		"no host":       func(b *pages.Brand) { b.TermsURL = "https:///terms" },
		"script":        func(b *pages.Brand) { b.MarketplaceURL = "javascript:alert(1)" },
		"user":          func(b *pages.Brand) { b.TermsURL = "https://procore.com@a.example/" },
		"upper case":    func(b *pages.Brand) { b.Abilities = []string{"Read drawings"} },
		"a full stop":   func(b *pages.Brand) { b.Abilities = []string{"read drawings."} },
		"empty ability": func(b *pages.Brand) { b.Abilities = []string{""} },
	} {
		b := pages.DefaultBrand()
		change(&b)
		if len(brandProblems(b)) != 1 {
			t.Errorf("%s: the brand passes", name)
		}
	}
}

func brandProblems(b pages.Brand) (all []string) {
	for _, address := range []string{b.PrivacyURL, b.TermsURL, b.MarketplaceURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil) {
			all = append(all, fmt.Sprintf("%q is not an https address", address))
		}
	}
	for _, a := range b.Abilities {
		if first, _ := utf8.DecodeRuneInString(a); !unicode.IsLower(first) || strings.HasSuffix(a, ".") {
			all = append(all, fmt.Sprintf("%q doesn't complete “%s will be able to”: begin it with a verb in lower case, without a full stop", a, b.Name))
		}
	}
	return all
}

// The title and the button of the first page say the same.
func TestTitleAndButtonAgree(t *testing.T) {
	t.Parallel()
	got := show(t, newPages(), (*pages.Pages).Landing)
	if title := text(got.all("h1")[0]); linkNamed(got, title) != publicURL+"/oauth/start" {
		t.Errorf("the page is called %q, and no button is", title)
	}
}
