package pages_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"procore-connect/internal/pages"
)

// TestContrast computes the contrast ratios of WCAG 2.2 (https://www.w3.org/TR/WCAG22/#contrast-minimum, 1.4.3 for
// text, 1.4.11 for the edges of fields) of both palettes.
func TestContrast(t *testing.T) {
	t.Parallel()
	b := pages.DefaultBrand()
	for scheme, p := range map[string]pages.Palette{"light": b.Light, "dark": b.Dark} {
		pairs := []struct {
			name, front, ground string
			least               float64
		}{
			{"text on page", p.Text, p.Page, 4.5}, {"text on card", p.Text, p.Card, 4.5},
			{"muted on page", p.Muted, p.Page, 4.5}, {"muted on card", p.Muted, p.Card, 4.5},
			{"muted on selection", p.Muted, p.SelectionBg, 4.5}, {"text on selection", p.Text, p.SelectionBg, 4.5},
			{"link on page", p.Accent, p.Page, 4.5}, {"link on card", p.Accent, p.Card, 4.5},
			{"number on its circle", p.Accent, p.SelectionBg, 4.5}, {"button", p.OnAccent, p.Accent, 4.5},
			{"good", p.Good, p.Card, 4.5}, {"warn", p.Warn, p.Card, 4.5}, {"mark", p.Good, p.GoodBg, 3},
			{"warning", p.Warn, p.WarnBg, 4.5}, {"error", p.Bad, p.BadBg, 4.5}, {"edge of a field", p.Border, p.Card, 3},
		}
		for _, c := range pairs {
			if got := contrast(t, c.front, c.ground); got < c.least {
				t.Errorf("%s: %s: contrast %.2f, want at least %.1f", scheme, c.name, got, c.least)
			}
		}
	}
}

// Procore lists no app that has its name in its own.
func TestNameIsNotProcores(t *testing.T) {
	t.Parallel()
	if name := pages.DefaultBrand().Name; strings.Contains(strings.ToLower(name), "procore") {
		t.Errorf("the brand is called %q", name)
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is the relative luminance of WCAG 2.2.
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
	if want := "You chose not to give Acme <Sync> access to Procore, so nothing was connected."; !contains(got, want) {
		t.Errorf("the page does not say %q", want)
	}
}

func contains(p page, s string) bool {
	for _, n := range p.all("p") {
		if text(n) == s {
			return true
		}
	}
	return false
}
