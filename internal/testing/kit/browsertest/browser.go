// Package browsertest is a browser without script, for tests and for the local stack. It clicks through pages by their
// accessible names, as a person does:
//
//	b := browsertest.New()
//	b.Open(ctx, "http://127.0.0.1:3000/")
//	b.Click(ctx, "Connect to Procore")
//	if err := b.Err(); err != nil { ... }
//
// After an error every further step does nothing, so that one look at Err is enough.
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

// maxPage bounds what is read of a page, in bytes.
const maxPage = 1 << 20

// Browser is at one page. Make it with New; it serves one goroutine.
type Browser struct {
	// Stop, if set, keeps a redirect to such an address from being followed. The browser is there then, without a page.
	Stop func(*url.URL) bool
	// Transport sends the requests. Nil means http.DefaultTransport.
	Transport http.RoundTripper

	At     *url.URL // where it is
	Status int      // of the page

	jar    http.CookieJar
	page   *html.Node
	chosen map[*html.Node]bool // radio buttons
	err    error
}

// New gives a browser without cookies.
func New() *Browser {
	jar, err := cookiejar.New(nil)
	return &Browser{jar: jar, err: err}
}

// Err is the first error, or nil.
func (b *Browser) Err() error { return b.err }

// Cookies are those that the browser sends to where it is.
func (b *Browser) Cookies() []*http.Cookie { return b.jar.Cookies(b.At) }

// Open goes to an address.
func (b *Browser) Open(ctx context.Context, address string) {
	if b.err == nil {
		b.do(http.NewRequestWithContext(ctx, http.MethodGet, address, nil))
	}
}

// Click follows the link, or presses the button, of that name.
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

// Choose marks the radio button that is labelled so.
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

// Form is what a press of the button of that name would send.
func (b *Browser) Form(button string) url.Values {
	_, fields := b.form(b.control(button))
	return fields
}

// Text is what the page's main part says.
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

// control finds the link or button of that name.
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

// form is the form around a button, and what it sends when that is pressed.
func (b *Browser) form(button *html.Node) (form *html.Node, fields url.Values) {
	for form = button; form != nil && form.Data != "form"; form = form.Parent {
	}
	if b.err == nil && form == nil {
		b.fail("the button %q is outside of a form", text(button))
	}
	if b.err != nil {
		return nil, nil
	}
	fields = url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" && (attr(n, "type") != "radio" || b.on(form, n)) {
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
	if b.At != nil {
		r.Header.Set("Origin", b.At.Scheme+"://"+b.At.Host)
	}
	b.At = r.URL // unless a redirect leads on
	client := &http.Client{Jar: b.jar, Transport: b.Transport, CheckRedirect: b.redirect}
	resp, err := client.Do(r)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = fmt.Errorf("%s %s: %w", r.Method, b.At.Path, e.Err) // the whole address may hold a code
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
	b.At = to.URL
	if b.Stop != nil && b.Stop(to.URL) {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return fmt.Errorf("more than 10 redirects, the last to %s", to.URL.Path)
	}
	return nil
}

// on tells whether a radio button is chosen, or is what the page had chosen.
func (b *Browser) on(form, radio *html.Node) bool {
	for n := range form.Descendants() {
		if b.chosen[n] && attr(n, "name") == attr(radio, "name") {
			return n == radio
		}
	}
	return slices.ContainsFunc(radio.Attr, func(a html.Attribute) bool { return a.Key == "checked" })
}

func (b *Browser) resolve(ref string) string {
	u, err := b.At.Parse(ref)
	if err != nil {
		b.fail("link to %q", ref)
		return ""
	}
	return u.String()
}

// fail says where it happened; a query may hold a code.
func (b *Browser) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("%s at %s://%s%s (status %d): %.500s", fmt.Sprintf(format, args...), b.At.Scheme, b.At.Host, b.At.Path, b.Status, b.Text())
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
