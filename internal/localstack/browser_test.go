package localstack_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// browser clicks through pages by their accessible names, as a person does who
// uses no script.
type browser struct {
	t      *testing.T
	client *http.Client
	at     *url.URL
	status int
	page   *html.Node
	chosen map[*html.Node]bool // radio buttons
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar}}
}

func (b *browser) open(address string) {
	b.t.Helper()
	b.do(http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil))
}

func (b *browser) do(r *http.Request, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if b.at != nil {
		r.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if b.page, err = html.Parse(io.LimitReader(resp.Body, 1<<20)); err != nil {
		b.t.Fatal(err)
	}
	b.at, b.status, b.chosen = resp.Request.URL, resp.StatusCode, make(map[*html.Node]bool)
}

// click follows the link, or presses the button, of that name.
func (b *browser) click(name string) {
	b.t.Helper()
	for n := range b.page.Descendants() {
		switch {
		case n.Data == "a" && text(n) == name:
			b.open(b.resolve(attr(n, "href")))
			return
		case n.Data == "button" && (text(n) == name || attr(n, "aria-label") == name):
			b.submit(n)
			return
		}
	}
	b.t.Fatalf("there is no link or button %q at %s (%d):\n%s", name, b.at, b.status, b.text())
}

// choose marks the radio button that is labelled so.
func (b *browser) choose(label string) {
	b.t.Helper()
	for n := range b.page.Descendants() {
		if n.Data != "label" || text(n) != label {
			continue
		}
		for r := range b.page.Descendants() {
			if attr(r, "id") == attr(n, "for") && attr(r, "type") == "radio" {
				b.chosen[r] = true
				return
			}
		}
	}
	b.t.Fatalf("there is no radio button %q at %s (%d):\n%s", label, b.at, b.status, b.text())
}

func (b *browser) submit(button *html.Node) {
	b.t.Helper()
	form := button.Parent
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		b.t.Fatalf("the button %q is outside of a form", text(button))
	}
	fields := url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" && (attr(n, "type") != "radio" || b.on(form, n)) {
			fields.Add(attr(n, "name"), attr(n, "value"))
		}
	}
	if name := attr(button, "name"); name != "" {
		fields.Add(name, attr(button, "value"))
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.resolve(attr(form, "action")), strings.NewReader(fields.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	b.do(r, err)
}

// on tells whether a radio button is chosen, or is what the page had chosen.
func (b *browser) on(form, radio *html.Node) bool {
	for n := range form.Descendants() {
		if b.chosen[n] && attr(n, "name") == attr(radio, "name") {
			return n == radio
		}
	}
	return slices.ContainsFunc(radio.Attr, func(a html.Attribute) bool { return a.Key == "checked" })
}

func (b *browser) resolve(ref string) string {
	b.t.Helper()
	u, err := b.at.Parse(ref)
	if err != nil {
		b.t.Fatal(err)
	}
	return u.String()
}

// text is what the page's main part says.
func (b *browser) text() string {
	for n := range b.page.Descendants() {
		if n.Data == "main" {
			return text(n)
		}
	}
	return text(b.page)
}

func text(n *html.Node) string {
	var words []string
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			words = append(words, strings.Fields(d.Data)...)
		}
	}
	return strings.Join(words, " ")
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
