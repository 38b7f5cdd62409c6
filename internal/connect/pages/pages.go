// Package pages shows the application to people: server-rendered pages that need no script and no resource from
// anywhere else, readable on a phone, usable with a keyboard and with a screen reader.
//
// A fork changes the name, the logo, the colours and what stands before the button in brand.go. The sentences are in
// words.go, in the *_text.go beside each page and in problem_*.go. The structure is in templates/, the style in
// templates/style.css.
//
//	p := pages.New(pages.Site{PublicURL: cfg.PublicURL, Support: cfg.SupportContact})
//	p.Landing(w, r)
//	p.Problem(w, r, pages.Denied())
//
// Every page carries the headers of [Pages.SetHeaders]. Text from outside (names, Procore's messages) is escaped by
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

	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/gateway"
)

// The paths of the pages' links and forms. The functions register them.
const (
	PathHome      = "/"
	PathStart     = "/oauth/start"
	PathCompanies = "/companies"
	PathConnected = "/connected"
	PathReturn    = "/return" // leads back to the host application whose link the flow follows
)

//go:embed templates
var files embed.FS

// Site is what differs between two deployments of one fork.
type Site struct {
	// PublicURL is the application's address, from which links are built. Empty means links without a host.
	PublicURL string

	// Support is the contact for help: an email address, an https address, or a few words. Empty shows none.
	Support string

	// ProcoreLogin is the address of Procore's login in this environment, for visitors who change their account there.
	// Empty shows no link.
	ProcoreLogin string

	// Principals is who connects companies. The zero value means users.
	Principals config.Principals

	// Returns are the addresses of host applications, to which a form may lead.
	Returns []string

	// Brand is the name, logo and colours. The zero value means DefaultBrand().
	Brand Brand
}

// Pages writes pages. It is safe for concurrent use.
type Pages struct {
	brand   Brand
	base    string // PublicURL without a trailing slash
	host    string // of PublicURL
	https   bool
	support Contact
	login   string // Site.ProcoreLogin
	words   words
	// principals is who connects companies.
	principals config.Principals
	css        template.CSS
	icon       template.URL
	csp        string
	pages      func() map[string]*template.Template
}

// Contact is Site.Support, ready to be shown.
type Contact struct {
	Text string
	URL  string // mailto: or https:, or empty
}

// New returns the pages of a site.
func New(s Site) *Pages {
	if s.Brand.Name == "" {
		s.Brand = DefaultBrand()
	}
	p := &Pages{
		brand:   s.Brand,
		base:    strings.TrimRight(s.PublicURL, "/"),
		https:   strings.HasPrefix(s.PublicURL, "https://"),
		support: contact(s.Support),
		login:   s.ProcoreLogin,
		words:   english(),
		css:     stylesheet(s.Brand),
		icon:    s.Brand.Icon(),
		pages:   sync.OnceValue(parse),
	}
	if p.principals = s.Principals; p.principals == (config.Principals{}) {
		p.principals.Users = true
	}
	p.csp = policy(p.css, s.Returns)
	if u, err := url.Parse(s.PublicURL); err == nil {
		p.host = u.Host
	}
	return p
}

// Prepare parses the templates, so that the first visitor doesn't wait for it. It is a step of a function's start and
// runs while the connections to AWS are opened.
func (p *Pages) Prepare(context.Context) { p.pages() }

func parse() map[string]*template.Template {
	frame := template.Must(template.ParseFS(files, "templates/layout.html", "templates/parts.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"landing", "install", "choose", "connected", "disconnect", "setup", "problem"} {
		t := template.Must(template.Must(frame.Clone()).ParseFS(files, "templates/"+name+".html"))
		// html/template prepares its escaping at the first execution, which may fail without data.
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

// layout is the data of templates/layout.html; Main is the page's own.
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

// show renders one whole page before it sends the first byte. Pages that stop the visitor show the request's id.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, name, title string, main any) {
	l := layout{
		Title: title, Brand: p.brand, CSS: p.css, Icon: p.icon, Home: p.link(PathHome), Start: p.link(PathStart),
		Support: p.support, Words: p.words, Main: main,
	}
	if name == "problem" || name == "setup" {
		l.RequestID = gateway.RequestID(r.Context())
	}
	var b bytes.Buffer
	err := p.pages()[name].Execute(&b, l)
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

// link returns the address of one of our paths. Anything else is returned as it is; html/template refuses schemes other
// than http, https and mailto.
func (p *Pages) link(to string) string {
	if strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
		return p.base + to
	}
	return to
}

// flowLink returns the address of a page of one authorization.
func (p *Pages) flowLink(to, flow string) string {
	if flow == "" {
		return p.link(to)
	}
	return p.link(to) + "?" + FieldFlow + "=" + url.QueryEscape(flow)
}
