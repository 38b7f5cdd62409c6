// Package readable writes the log lines of the functions for a person: one short line each, with what it is about first.
package readable

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"procore-connect/pkg/procore"
)

// Format is the form of a readable line.
type Format struct {
	Colours bool
	Clock   func(time.Time) string // writes the time of a line; nil: the time of day where this machine is
}

// Line returns a function's line, with a line feed.
func (f Format) Line(at time.Time, function string, l Fields) string {
	words := []string{f.head(at, function)}
	switch level := l.Text("level"); level {
	case "", "INFO":
	case "ERROR":
		words = append(words, f.coloured(red, level))
	case "WARN":
		words = append(words, f.coloured(yellow, level))
	default:
		words = append(words, level)
	}
	words = append(words, f.coloured(bold, printable(l.Text("msg"))))
	for _, one := range l.shown() {
		words = append(words, f.coloured(dim, one.Name+"=")+one.show())
	}
	return strings.Join(words, " ") + "\n"
}

// Text returns a line that is no JSON object, with a line feed.
func (f Format) Text(at time.Time, function, text string) string {
	return f.head(at, function) + " " + text + "\n"
}

// head returns what each line begins with.
func (f Format) head(at time.Time, function string) string {
	clock := f.Clock
	if clock == nil {
		clock = func(t time.Time) string { return t.Local().Format(time.TimeOnly) }
	}
	shown := clock(at)
	if at.IsZero() {
		shown = strings.Repeat(" ", len(shown))
	}
	return f.coloured(dim, shown) + " " + f.coloured(cyan, fmt.Sprintf("%-16s", function))
}

// Writer makes the lines of make run readable. Each Write must be complete lines. A line that is not a function's JSON
// object passes as it is, with the time before it.
type Writer struct {
	to     io.Writer
	clock  procore.Clock
	format Format
}

// NewWriter returns a writer to a file, which has colours if it is a terminal.
func NewWriter(f *os.File) *Writer { return &Writer{to: f, format: Format{Colours: Coloured(f)}} }

// Coloured reports whether lines that are written to a file have colours.
//
// https://no-color.org
func Coloured(f *os.File) bool {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(b) {
		out.WriteString(w.line(bytes.TrimRight(line, "\r\n")))
	}
	if _, err := w.to.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// line returns a line as it is shown, or nothing for a scheduled run that found nothing to do.
func (w *Writer) line(b []byte) string {
	l, ok := Parse(b)
	switch {
	case !ok || l.Text("msg") == "" || l.Text("function") == "":
		name, text, found := strings.Cut(string(b), " | ")
		if !found {
			return string(b) + "\n"
		}
		return w.format.Text(w.clock.Now(), strings.TrimSpace(name), text)
	case l.Idle():
		return ""
	}
	return w.format.Line(l.Time(), l.Text("function"), l)
}

// https://en.wikipedia.org/wiki/ANSI_escape_code#Select_Graphic_Rendition_parameters
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	yellow = "33"
	cyan   = "36"
)

func (f Format) coloured(colour, text string) string {
	if !f.Colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// Fields are the attributes of a function's line, in its order.
type Fields []Field

// Field is one attribute.
type Field struct {
	Name  string
	Value json.RawMessage
}

// Parse reads a JSON object. It returns false for anything else.
func Parse(b []byte) (Fields, bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var all Fields
	for d.More() {
		var f Field
		name, err := d.Token()
		if err == nil {
			err = d.Decode(&f.Value)
		}
		if err != nil {
			return nil, false
		}
		f.Name, _ = name.(string)
		all = append(all, f)
	}
	return all, true
}

func (l Fields) get(name string) json.RawMessage {
	for _, f := range l {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// MarshalJSON implements json.Marshaler: as the function wrote it.
func (l Fields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(f.Value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Text returns an attribute that is a text, or nothing.
func (l Fields) Text(name string) string {
	var s string
	_ = json.Unmarshal(l.get(name), &s)
	return s
}

// Number returns an attribute that is a number, as it is written, or nothing.
func (l Fields) Number(name string) string {
	var n json.Number
	if v := l.get(name); len(v) > 0 && v[0] != '"' {
		_ = json.Unmarshal(v, &n)
	}
	return n.String()
}

// Time returns the time of the line, or zero if it has none.
func (l Fields) Time() time.Time {
	at, _ := time.Parse(time.RFC3339Nano, l.Text("time"))
	return at
}

// Idle reports whether the line is about a scheduled run that found nothing to do. Durations, and what was compared, are
// no work.
func (l Fields) Idle() bool {
	msg := l.Text("msg")
	if level := l.Text("level"); level != "INFO" && level != "DEBUG" {
		return false
	}
	if strings.HasPrefix(msg, "heartbeat ") {
		return true
	}
	if !strings.HasSuffix(msg, "run finished") && msg != "companies checked" && msg != "installations compared" {
		return false
	}
	compared := []string{"companies", "calls", "not_covered", "listed", "connected"}
	return !slices.ContainsFunc(l.unmeasured(), func(f Field) bool {
		_, err := strconv.ParseFloat(string(f.Value), 64)
		counts := err == nil && !strings.HasSuffix(f.Name, "_s") && !strings.HasSuffix(f.Name, "_ms") && !slices.Contains(compared, f.Name)
		return counts && string(f.Value) != "0" || string(f.Value) == "true" || f.Name == "error"
	})
}

// unmeasured returns the fields without those that CloudWatch reads as metrics, which repeat others.
func (l Fields) unmeasured() Fields {
	var embedded struct {
		CloudWatchMetrics []struct{ Metrics []struct{ Name string } }
	}
	if value := l.get("_aws"); value == nil || json.Unmarshal(value, &embedded) != nil {
		return l
	}
	return slices.DeleteFunc(slices.Clone(l), func(f Field) bool {
		for _, of := range embedded.CloudWatchMetrics {
			for _, m := range of.Metrics {
				if m.Name == f.Name {
					return true
				}
			}
		}
		return f.Name == "_aws"
	})
}

// shown returns the fields that are shown: first those that say what a line is about, in the order of most, then the rest
// in the line's order.
func (l Fields) shown() Fields {
	most := []string{"company_id", "project_id", "resource", "resource_id", "type", "event_id", "attempt", "error", "outcome"}
	hidden := []string{"function", "time", "level", "msg", "method"} // the route names the method
	if l.Text("level") == "INFO" || l.Text("level") == "DEBUG" {
		hidden = append(hidden, "request_id")
	}
	var first, rest Fields
	for _, name := range most {
		if v := l.get(name); v != nil {
			first = append(first, Field{name, v})
		}
	}
	for _, f := range l.unmeasured() {
		if !slices.Contains(most, f.Name) && !slices.Contains(hidden, f.Name) {
			rest = append(rest, f)
		}
	}
	return slices.DeleteFunc(append(first, rest...), func(f Field) bool {
		return string(f.Value) == `""` || string(f.Value) == "null"
	})
}

// show returns a text without quotes where that is clear, and anything else as JSON.
func (f Field) show() string {
	var s string
	if err := json.Unmarshal(f.Value, &s); err != nil {
		return string(f.Value)
	}
	if strings.ContainsAny(s, " \"=") {
		return strconv.Quote(s)
	}
	return printable(s)
}

// printable quotes a text that would move the cursor, or worse.
func printable(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strconv.Quote(s)
	}
	return s
}
