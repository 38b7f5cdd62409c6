package console

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/operator"
)

//go:embed templates
var files embed.FS

// page is what a view shows.
type page struct {
	Template string // the file of templates, without .html
	Title    string
	Menu     string // the path of the menu's link to the view
	Status   int    // zero: 200
	To       string // a path to redirect to, instead of a page
	Bare     bool   // without menu and script, for a browser that is not admitted
	Live     int    // after how many seconds the page renews itself; zero: never
	Main     any    // for the template
}

// layout is the data of templates/layout.html.
type layout struct {
	page
	Stack string
	Brand pages.Brand
	Icon  template.URL
	Links []link
	Token string // of forms
	At    time.Time
}

var errNotFound = errors.New("there is no such page")

// view serves a view. The error of one without a page is shown as one.
func (c *Console) view(show func(*http.Request) (page, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := show(r)
		switch {
		case errors.Is(err, errNotFound), errors.Is(err, operator.ErrNotConnected), errors.Is(err, operator.ErrNoEvent), errors.Is(err, operator.ErrNotHeld):
			p = page{Template: "problem", Title: "Not found", Status: http.StatusNotFound, Main: err.Error()}
		case err != nil:
			p = page{Template: "problem", Title: "That did not work", Status: http.StatusBadGateway, Main: err.Error()}
		case p.To != "":
			w.Header().Set("Location", p.To)
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		c.render(w, r, p)
	}
}

// render renders a whole page before it sends the first byte.
func (c *Console) render(w http.ResponseWriter, r *http.Request, p page) {
	l := layout{page: p, Stack: c.Stack, Brand: pages.DefaultBrand(), Links: menu(), Token: c.formToken, Icon: pages.DefaultBrand().Icon(), At: c.now()}
	var b bytes.Buffer
	if err := c.pages[p.Template].Execute(&b, l); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(cmp.Or(p.Status, http.StatusOK))
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes())
	}
}

// serve serves a file.
func (c *Console) serve(kind string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(content)
	}
}

// parse parses the templates: each has the layout and the parts.
func (c *Console) parse() map[string]*template.Template {
	frame := template.Must(template.New("layout.html").Funcs(c.functions()).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	names, err := files.ReadDir("templates")
	if err != nil {
		panic(err) // it is embedded
	}
	all := map[string]*template.Template{}
	for _, f := range names {
		name, html := strings.CutSuffix(f.Name(), ".html")
		if !html || name == "layout" || name == "parts" {
			continue
		}
		all[name] = template.Must(template.Must(frame.Clone()).ParseFS(files, path.Join("templates", f.Name())))
	}
	return all
}

// functions are what the templates call.
func (c *Console) functions() template.FuncMap {
	return template.FuncMap{
		"when":   c.when,
		"stamp":  stamp,
		"pill":   pill,
		"state":  statePill,
		"event":  eventPill,
		"spark":  spark,
		"short":  short,
		"plain":  plain,
		"count":  count,
		"plural": plural,
		"line":   c.Line,
		"draw":   draw,
		"money":  dollars,
		"amount": amount,
		"price":  price,
		"length": operator.Length,
		"upper":  capital,
	}
}

// when is a time as a person reads it, with the exact one behind it.
func (c *Console) when(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	now := c.now()
	text := operator.Ago(now, t)
	if t.After(now) {
		text = "in " + operator.Length(t.Sub(now))
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.UTC().Format(time.RFC3339), exact(t), template.HTMLEscapeString(text))) //nolint:gosec // escaped
}

// stamp is a time that a person compares with a log.
func stamp(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.UTC().Format(time.RFC3339), exact(t))) //nolint:gosec // digits
}

func exact(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// pill is a state as a word in a colour: good, warn, bad, or none of them.
func pill(kind, text string) template.HTML {
	return template.HTML(fmt.Sprintf(`<span class="pill %s">%s</span>`, template.HTMLEscapeString(kind), template.HTMLEscapeString(text))) //nolint:gosec // escaped
}

// statePill is the pill of a connection's state.
func statePill(s operator.State) template.HTML {
	kind := map[operator.State]string{
		operator.Connected: "good", operator.Uncertain: "warn", operator.Paused: "warn", operator.Reauthorize: "bad", operator.Disconnected: "bad",
	}[s]
	return pill(kind, string(s))
}

// eventPill is the pill of an event's state.
func eventPill(s operator.EventState) template.HTML {
	kind := map[operator.EventState]string{
		operator.EventReceived: "wait", operator.EventDispatched: "wait", operator.EventHandled: "good", operator.EventFailing: "warn", operator.EventQuarantined: "warn",
		operator.EventDead: "bad", operator.EventUndeliverable: "bad",
	}[s]
	return pill(kind, string(s))
}

// maxShort is the longest name in a table, in characters.
const maxShort = 60

// short makes a name from outside fit a table.
func short(name string) string {
	name = plain(name)
	if runes := []rune(name); len(runes) > maxShort {
		return string(runes[:maxShort-1]) + "…"
	}
	return name
}

// maxPlain is the longest text, in characters.
const maxPlain = 2000

// plain removes what no reader sees from a text of outside, such as marks that turn the direction of the line, and bounds it.
func plain(text string) string {
	if runes := []rune(text); len(runes) > maxPlain {
		text = string(runes[:maxPlain]) + "…"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, text)
}

// count is a number with marks of thousands.
func count(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// plural is a number with what it counts.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if stem, y := strings.CutSuffix(one, "y"); y {
		return count(n) + " " + stem + "ies"
	}
	return count(n) + " " + one + "s"
}

// stylesheet is the style of every page, in the colours of the app's own pages.
func stylesheet() []byte {
	css, err := files.ReadFile("templates/style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	b := pages.DefaultBrand()
	return fmt.Appendf(nil, ":root{color-scheme:light dark;%s}\n@media (prefers-color-scheme:dark){:root{%s}}\n%s", b.Light.Variables(), b.Dark.Variables(), css)
}

// script renews pages. They work without it.
func script() []byte {
	js, err := files.ReadFile("templates/console.js")
	if err != nil {
		panic(err) // it is embedded
	}
	return js
}
