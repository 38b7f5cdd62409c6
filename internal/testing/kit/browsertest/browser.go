// Package browsertest is a browser without scripts, for tests and for the local stack. It clicks through pages by
// accessible names, as a person does:
//
//	b := browsertest.New()
//	b.Open(ctx, "http://127.0.0.1:3000/")
//	b.Click(ctx, "Connect to Procore")
//	if err := b.Err(); err != nil { ... }
//
// After an error every further step does nothing, so one check of Err is enough.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// maxPage is the most bytes that are read of a page.
const maxPage = 1 << 20

// Browser shows one page. Make it with New. One goroutine uses it at a time.
type Browser struct {
	// StopAt, if set, reports whether to stop at a redirect's address. The browser is then at that address, without a page.
	StopAt func(*url.URL) bool
	// Transport sends the requests. Nil means http.DefaultTransport.
	Transport http.RoundTripper

	URL    *url.URL // the current address
	Status int      // of the page

	jar    http.CookieJar
	page   *html.Node
	chosen map[*html.Node]bool // radio buttons
	err    error
}

// New returns a browser without cookies.
func New() *Browser {
	jar, err := cookiejar.New(nil)
	return &Browser{jar: jar, err: err}
}

// Err returns the first error, or nil.
func (b *Browser) Err() error { return b.err }

// Cookies returns the cookies that the browser sends to its current address.
func (b *Browser) Cookies() []*http.Cookie { return b.jar.Cookies(b.URL) }

// Open goes to an address.
func (b *Browser) Open(ctx context.Context, address string) {
	if b.err == nil {
		b.do(http.NewRequestWithContext(ctx, http.MethodGet, address, nil))
	}
}

// Click follows the link or presses the button with this name.
func (b *Browser) Click(ctx context.Context, name string) {
	n := b.control(name)
	switch {
	case b.err != nil:
	case n.Data == "a":
		b.Open(ctx, b.resolve(attr(n, "href")))
	default:
		b.submit(ctx, n)
	}
}

// Choose marks the radio button with this label.
func (b *Browser) Choose(label string) {
	if b.err != nil {
		return
	}
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
	b.fail("there is no radio button %q", label)
}

// Form returns the fields that the button with this name would send.
func (b *Browser) Form(button string) url.Values {
	_, fields := b.form(b.control(button))
	return fields
}

// Text returns the text of the page's main part.
func (b *Browser) Text() string {
	if b.page == nil {
		return ""
	}
	for n := range b.page.Descendants() {
		if n.Data == "main" {
			return text(n)
		}
	}
	return text(b.page)
}

// control finds the link or button with this name.
func (b *Browser) control(name string) *html.Node {
	if b.err != nil {
		return nil
	}
	for n := range b.page.Descendants() {
		if n.Data == "a" && text(n) == name || n.Data == "button" && (text(n) == name || attr(n, "aria-label") == name) {
			return n
		}
	}
	b.fail("there is no link or button %q", name)
	return nil
}

// form returns the form around a button, and the fields that it sends when the button is pressed.
func (b *Browser) form(button *html.Node) (form *html.Node, fields url.Values) {
	for form = button; form != nil && form.Data != "form"; form = form.Parent {
	}
	if b.err == nil && form == nil {
		b.fail("the button %q is outside a form", text(button))
	}
	if b.err != nil {
		return nil, nil
	}
	fields = url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" && (attr(n, "type") != "radio" || b.selected(form, n)) {
			fields.Add(attr(n, "name"), attr(n, "value"))
		}
	}
	if name := attr(button, "name"); name != "" {
		fields.Add(name, attr(button, "value"))
	}
	return form, fields
}

func (b *Browser) submit(ctx context.Context, button *html.Node) {
	form, fields := b.form(button)
	if b.err != nil {
		return
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.resolve(attr(form, "action")), strings.NewReader(fields.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	b.do(r, err)
}

func (b *Browser) do(r *http.Request, err error) {
	if err != nil {
		b.err = err
		return
	}
	r.Header.Set("Accept", "text/html")
	if b.URL != nil {
		r.Header.Set("Origin", b.URL.Scheme+"://"+b.URL.Host)
	}
	b.URL = r.URL // a redirect changes it
	client := &http.Client{Jar: b.jar, Transport: b.Transport, CheckRedirect: b.redirect}
	resp, err := client.Do(r)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = fmt.Errorf("%s %s: %w", r.Method, b.URL.Path, e.Err) // the full address may contain a code
	}
	if err != nil {
		b.err = err
		return
	}
	defer resp.Body.Close()
	b.Status, b.chosen = resp.StatusCode, make(map[*html.Node]bool)
	b.page, b.err = html.Parse(io.LimitReader(resp.Body, maxPage))
}

func (b *Browser) redirect(to *http.Request, via []*http.Request) error {
	b.URL = to.URL
	if b.StopAt != nil && b.StopAt(to.URL) {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return fmt.Errorf("more than 10 redirects, the last to %s", to.URL.Path)
	}
	return nil
}

// selected reports whether a radio button is chosen, by Choose or by the page.
func (b *Browser) selected(form, radio *html.Node) bool {
	for n := range form.Descendants() {
		if b.chosen[n] && attr(n, "name") == attr(radio, "name") {
			return n == radio
		}
	}
	return slices.ContainsFunc(radio.Attr, func(a html.Attribute) bool { return a.Key == "checked" })
}

func (b *Browser) resolve(ref string) string {
	u, err := b.URL.Parse(ref)
	if err != nil {
		b.fail("link to %q", ref)
		return ""
	}
	return u.String()
}

// fail records an error and the current address, without the query, which may contain a code.
func (b *Browser) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("%s at %s://%s%s (status %d): %.500s", fmt.Sprintf(format, args...), b.URL.Scheme, b.URL.Host, b.URL.Path, b.Status, b.Text())
	}
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
