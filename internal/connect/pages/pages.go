// Package pages shows the application to people: server-rendered pages that need no script and no resource from
// anywhere else, readable on a phone, usable with a keyboard and with a screen reader.
//
// A fork changes name, logo and colours in brand.go and every sentence in texts.go. The structure is in
// templates/, the look in templates/style.css.
//
//	p := pages.New(pages.Site{PublicURL: cfg.PublicURL, Support: cfg.SupportContact})
//	p.Landing(w, r)
//	p.Problem(w, r, pages.Denied())
//
// Every page carries the headers of [Pages.SetHeaders]. Whatever comes from outside (names, Procore's words) is escaped by
// html/template and bounded here. A shown problem adds its code to the log line of the request.
package pages

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/mail"
	"net/url"
	"strings"
	"sync"

	"procore-connect/internal/platform/gateway"
)

// Where the pages' links and forms lead. The functions register these paths.
const (
	PathHome      = "/"
	PathStart     = "/oauth/start"
	PathCompanies = "/companies"
	PathConnected = "/connected"
)

//go:embed templates
var files embed.FS

// Site is what differs between two deployments of one fork.
type Site struct {
	// PublicURL is where the application is reached; links are built from it. Empty gives links without a host.
	PublicURL string

	// Support is whom people ask for help: an email address, an https address, or a few words. Empty shows none.
	Support string

	// Brand is name, logo and colours. The zero value means DefaultBrand().
	Brand Brand
}

// Pages writes pages. It is safe for concurrent use.
type Pages struct {
	brand   Brand
	base    string // PublicURL without a trailing slash
	https   bool
	support Contact
	words   words
	css     template.CSS
	icon    template.URL
	csp     string
	pages   func() map[string]*template.Template
}

// Contact is Site.Support, ready to be shown.
type Contact struct {
	Text string
	URL  string // mailto: or https:, or empty
}

// New makes the pages of a site.
func New(s Site) *Pages {
	if s.Brand.Name == "" {
		s.Brand = DefaultBrand()
	}
	p := &Pages{
		brand:   s.Brand,
		base:    strings.TrimRight(s.PublicURL, "/"),
		https:   strings.HasPrefix(s.PublicURL, "https://"),
		support: contact(s.Support),
		words:   english(),
		css:     stylesheet(s.Brand),
		icon:    s.Brand.icon(),
		pages:   sync.OnceValue(parse),
	}
	p.csp = policy(p.css)
	return p
}

// Prepare parses the templates, so that the first visitor doesn't wait for it:
// a step of a function's start that runs while the connections to AWS are opened.
func (p *Pages) Prepare(context.Context) { p.pages() }

func parse() map[string]*template.Template {
	frame := template.Must(template.ParseFS(files, "templates/layout.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"landing", "choose", "connected", "setup", "problem"} {
		t := template.Must(template.Must(frame.Clone()).ParseFS(files, "templates/"+name+".html"))
		// html/template works out its escaping at the first execution; with no data that one may fail.
		_ = t.Execute(io.Discard, layout{})
		all[name] = t
	}
	return all
}

func contact(s string) Contact {
	s = clean(s, maxText)
	if a, err := mail.ParseAddress(s); err == nil && a.Address == s {
		return Contact{Text: s, URL: "mailto:" + s}
	}
	if u, err := url.Parse(s); err == nil && u.Scheme == "https" && u.Host != "" {
		return Contact{Text: s, URL: s}
	}
	return Contact{Text: s}
}

// layout is what templates/layout.html gets; Main is the page's own.
type layout struct {
	Title     string
	Brand     Brand
	CSS       template.CSS
	Icon      template.URL
	Home      string
	Start     string
	Support   Contact
	RequestID string
	Words     words
	Main      any
}

// show writes one page. It is rendered whole before its first byte is sent.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, name, title string, main any) {
	var b bytes.Buffer
	err := p.pages()[name].Execute(&b, layout{
		Title: title, Brand: p.brand, CSS: p.css, Icon: p.icon, Home: p.link(PathHome), Start: p.link(PathStart),
		Support: p.support, RequestID: gateway.RequestID(r.Context()), Words: p.words, Main: main,
	})
	p.SetHeaders(w.Header())
	if err != nil {
		gateway.Note(r.Context(), slog.Any("error", err))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", "en")
	w.WriteHeader(cmp.Or(status, http.StatusOK))
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes())
	}
}

// link makes a path of ours an address. Anything else stays as it is; html/template refuses schemes other than http,
// https and mailto.
func (p *Pages) link(to string) string {
	if strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
		return p.base + to
	}
	return to
}

// flowLink is the address of a page of one authorization.
func (p *Pages) flowLink(to, flow string) string {
	if flow == "" {
		return p.link(to)
	}
	return p.link(to) + "?" + FieldFlow + "=" + url.QueryEscape(flow)
}
