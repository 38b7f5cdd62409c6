package main

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
)

// readable writes log lines for a person. Each Write must be complete lines. A line that is not a function's JSON object
// passes as it is, with the time before it.
type readable struct {
	to      io.Writer
	colours bool
	now     func() time.Time
}

// newReadable returns a writer to a file, which has colours if it is a terminal.
func newReadable(f *os.File) *readable {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &readable{f, terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", time.Now}
}

// Write implements io.Writer.
func (r *readable) Write(b []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(b) {
		out.WriteString(r.line(bytes.TrimRight(line, "\r\n")))
	}
	if _, err := r.to.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// line returns a line as it is shown, or nothing for a scheduled run that found nothing to do.
func (r *readable) line(b []byte) string {
	l, ok := parse(b)
	switch {
	case !ok:
		name, text, found := strings.Cut(string(b), " | ")
		if !found {
			return string(b) + "\n"
		}
		return r.head(r.now(), strings.TrimSpace(name)) + " " + text + "\n"
	case l.idle():
		return ""
	}
	at, _ := time.Parse(time.RFC3339Nano, l.text("time"))
	words := []string{r.head(at, l.text("function"))}
	switch level := l.text("level"); level {
	case "", "INFO":
	case "ERROR":
		words = append(words, r.coloured(red, level))
	case "WARN":
		words = append(words, r.coloured(yellow, level))
	default:
		words = append(words, level)
	}
	words = append(words, r.coloured(bold, printable(l.text("msg"))))
	for _, f := range l.shown() {
		words = append(words, r.coloured(dim, f.name+"=")+f.show())
	}
	return strings.Join(words, " ") + "\n"
}

// head returns what each line begins with.
func (r *readable) head(at time.Time, function string) string {
	clock := at.Local().Format(time.TimeOnly)
	if at.IsZero() {
		clock = strings.Repeat(" ", len(time.TimeOnly))
	}
	return r.coloured(dim, clock) + " " + r.coloured(cyan, fmt.Sprintf("%-16s", function))
}

// https://en.wikipedia.org/wiki/ANSI_escape_code#Select_Graphic_Rendition_parameters
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	yellow = "33"
	cyan   = "36"
)

func (r *readable) coloured(colour, text string) string {
	if !r.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// fields are the attributes of a function's line, in its order.
type fields []field

type field struct {
	name  string
	value json.RawMessage
}

// parse reads a JSON object that has a message.
func parse(b []byte) (fields, bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var all fields
	for d.More() {
		var f field
		name, err := d.Token()
		if err == nil {
			err = d.Decode(&f.value)
		}
		if err != nil {
			return nil, false
		}
		f.name, _ = name.(string)
		all = append(all, f)
	}
	return all, all.text("msg") != "" && all.text("function") != ""
}

func (l fields) get(name string) json.RawMessage {
	for _, f := range l {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

func (l fields) text(name string) string {
	var s string
	_ = json.Unmarshal(l.get(name), &s) // what is no text is shown as nothing
	return s
}

// idle reports whether the line is about a scheduled run that found nothing to do. Durations, and what was compared, are
// no work.
func (l fields) idle() bool {
	msg := l.text("msg")
	if level := l.text("level"); level != "INFO" && level != "DEBUG" {
		return false
	}
	if strings.HasPrefix(msg, "heartbeat ") {
		return true
	}
	if !strings.HasSuffix(msg, "run finished") && msg != "companies checked" && msg != "installations compared" {
		return false
	}
	compared := []string{"companies", "calls", "not_covered", "listed", "connected"}
	return !slices.ContainsFunc(l, func(f field) bool {
		_, err := strconv.ParseFloat(string(f.value), 64)
		counts := err == nil && !strings.HasSuffix(f.name, "_s") && !strings.HasSuffix(f.name, "_ms") && !slices.Contains(compared, f.name)
		return counts && string(f.value) != "0" || string(f.value) == "true" || f.name == "error"
	})
}

// shown returns the fields that are shown: first those that say what a line is about, in the order of most, then the rest
// in the line's order.
func (l fields) shown() fields {
	most := []string{"company_id", "project_id", "resource", "resource_id", "type", "event_id", "attempt", "error", "outcome"}
	hidden := []string{"function", "time", "level", "msg", "method", "_aws"} // the route names the method
	if l.text("level") == "INFO" || l.text("level") == "DEBUG" {
		hidden = append(hidden, "request_id")
	}
	var first, rest fields
	for _, name := range most {
		if v := l.get(name); v != nil {
			first = append(first, field{name, v})
		}
	}
	for _, f := range l {
		if !slices.Contains(most, f.name) && !slices.Contains(hidden, f.name) {
			rest = append(rest, f)
		}
	}
	return slices.DeleteFunc(append(first, rest...), func(f field) bool {
		return string(f.value) == `""` || string(f.value) == "null"
	})
}

// show returns a text without quotes where that is clear, and anything else as JSON.
func (f field) show() string {
	var s string
	if err := json.Unmarshal(f.value, &s); err != nil {
		return string(f.value)
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
