package console

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/logs"
	"procore-connect/internal/platform/logging/readable"
)

const (
	// maxPayload is how much is shown of what Procore sent.
	maxPayload = 64 << 10
	// maxHex is how much is shown of it if it is no text.
	maxHex = 4 << 10
	// searchWithin bounds one search of the logs, so that the page is written in time.
	searchWithin = 25 * time.Second
	// maxLines is how many lines of the functions are shown of an event.
	maxLines = 200
)

// minTraced is the length of the shortest id that the command traces.
const minTraced = 8

// eventView is one event.
type eventView struct {
	*operator.Delivery
	Name      string // of its company
	Envelope  string
	Payload   payload
	Lines     []traced
	MoreLines bool
	Untraced  error
	Trace     string // the command that shows the lines
	Actions   []button
	Unread    error
}

// payload is what Procore sent. It is personal data: the page has it folded.
type payload struct {
	Text    string
	Size    int64
	Form    string // JSON, text, or hexadecimal
	Cut     bool
	Command string // shows all of it
}

// Count is the size as a number of bytes.
func (p payload) Count() int { return int(p.Size) }

// traced is a line of a function.
type traced struct {
	At       time.Time
	Function string
	Level    string
	Text     string
}

// Clock is the time as a person compares it with other lines, in UTC.
func (t traced) Clock() string { return t.At.UTC().Format("2006-01-02 15:04:05.000") }

// button is an action with the token that its form needs.
type button struct {
	action
	Token string
}

func (c *Console) button(verb, text string, fields url.Values, form bool) button {
	v, _ := find(verb) // the buttons are pressed in tests
	return button{action{v, text, fields, form}, c.formToken}
}

// findEvent leads to an event by its id: GET /events/find?id=&company=. Without a company the dispatcher's line names it.
func (c *Console) findEvent(r *http.Request) (page, error) {
	id := strings.TrimSpace(first(r.URL.Query().Get("id"), 500))
	if id == "" {
		return page{To: "/events"}, nil
	}
	of, _ := c.about(r)
	d, err := c.Operator.Event(r.Context(), id, of.ID)
	if d == nil {
		return page{}, err
	}
	return page{To: eventPath(d.Event)}, nil
}

// event shows an event: GET /events/{company}/{id}?resource=. Without the resource the company's deliveries are searched.
func (c *Console) event(r *http.Request) (page, error) {
	company, err := strconv.ParseInt(r.PathValue("company"), 10, 64)
	if err != nil || company <= 0 {
		return page{}, errNotFound
	}
	read := c.Operator.Event
	if resource := r.URL.Query().Get("resource"); resource != "" {
		read = func(ctx context.Context, id string, company int64) (*operator.Delivery, error) {
			return c.Operator.EventOf(ctx, company, resource, id)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), searchWithin)
	defer cancel()
	d, unread := read(ctx, r.PathValue("id"), company)
	switch {
	case d == nil:
		return page{}, unread
	case d.State == operator.EventQuarantined:
		return page{To: eventPath(d.Event)}, nil
	}
	v := eventView{Delivery: d, Unread: unread, Envelope: visible(indented(d.Envelope)), Payload: c.payload(d.Body, int64(len(d.Body)), argument([]string{"events", "show", "--company=" + strconv.FormatInt(company, 10), "--body"}, d.ID))}
	if len(d.ID) >= minTraced {
		v.Trace = c.Line(argument([]string{"trace", "--since=14d"}, d.ID))
	}
	v.Actions = c.eventActions(d.Event)
	c.traceEvent(r, &v)
	names, _ := c.list.names(r.Context(), c.now()) // without one a company is shown by its id
	v.Name = names[company]
	return page{Template: "event", Title: short(strings.TrimSpace(d.Resource + " " + d.ResourceID)), Menu: "/events", Main: v}, nil
}

// argument adds an argument to what is typed. One that begins with a hyphen would be a flag.
func argument(args []string, value string) []string {
	if strings.HasPrefix(value, "-") {
		args = append(args, "--")
	}
	return append(args, value)
}

// traceEvent reads what the functions wrote about the event.
func (c *Console) traceEvent(r *http.Request, v *eventView) {
	ctx, cancel := context.WithTimeout(r.Context(), searchWithin)
	defer cancel()
	t, err := c.Operator.EventTrace(ctx, v.Event)
	if v.Untraced = err; err != nil {
		return
	}
	v.MoreLines = t.More || len(t.Lines) > maxLines
	for _, l := range t.Lines[:min(len(t.Lines), maxLines)] {
		v.Lines = append(v.Lines, tracedLine(l))
	}
}

// tracedLine is a line as trace writes it.
func tracedLine(l logs.Line) traced {
	text := l.Message
	if l.Fields != nil {
		fields := slices.DeleteFunc(slices.Clone(l.Fields), func(f readable.Field) bool { return f.Name == "company_id" || f.Name == "event_id" }) // the page's
		text = readable.Format{Clock: func(time.Time) string { return "" }}.Line(l.Time, "", fields)
	}
	return traced{l.Time, l.Function, l.Level, strings.TrimPrefix(strings.TrimSpace(text), l.Level+" ")}
}

// eventActions are the changes that are about an event: to send it again, or all of its resource from then on.
func (c *Console) eventActions(e operator.Event) []button {
	one := url.Values{
		"company": {strconv.FormatInt(e.CompanyID, 10)},
		"from":    {e.ReceivedAt.UTC().Format(time.RFC3339Nano)}, "to": {e.ReceivedAt.Add(time.Millisecond).UTC().Format(time.RFC3339Nano)},
	}
	if key, _ := e.Key(); resource.MatchString(key) {
		one.Set("resource", key)
	}
	from := url.Values{}
	for name, value := range one {
		if name != "to" {
			from[name] = value
		}
	}
	return []button{c.button("replay", "Replay this event", one, false), c.button("replay", "Replay from here on", from, true)}
}

// payload is what Procore sent, as a person reads it, and the command that shows all of it.
func (c *Console) payload(body []byte, size int64, command []string) payload {
	p := payload{Size: size, Form: "JSON", Command: c.Line(command)}
	var b bytes.Buffer
	switch {
	case json.Indent(&b, body, "", "  ") == nil:
		p.Text = b.String()
	case utf8.Valid(body):
		p.Text, p.Form = string(body), "text"
	default:
		p.Text, p.Form, p.Cut = hex.Dump(body[:min(len(body), maxHex)]), "hexadecimal", len(body) > maxHex
	}
	if len(p.Text) > maxPayload {
		p.Text, p.Cut = strings.ToValidUTF8(p.Text[:maxPayload], ""), true
	}
	p.Text = visible(p.Text)
	p.Cut = p.Cut || size > int64(len(body))
	return p
}

// indented is a value as JSON.
func indented(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// visible shows what no reader sees, such as marks that turn the direction of a line, as its number. Lines remain.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n', r == ' ', unicode.IsGraphic(r) && !unicode.IsSpace(r):
			b.WriteRune(r)
		case r == '\t':
			b.WriteString("  ")
		case r == '\r':
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}
