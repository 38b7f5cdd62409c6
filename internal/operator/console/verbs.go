package console

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// verb is a verb of the command that changes something, with all that may be typed after it. The page runs nothing else.
type verb struct {
	Name   string // as it is typed, such as "webhooks sync"
	Fields []field
	Danger bool // what it ends or deletes does not come back
	Dry    bool // it has --dry-run, whose output is shown before the question
	Logs   bool // it has --log-group, with which the console was started

	Button string // it changes nothing, and this button of the system page runs it
}

// field is an argument or a flag.
type field struct {
	Name     string // of the flag; of an argument, what it is
	Label    string
	Hint     string
	Argument bool // it is an argument and not a flag
	Required bool
	Switch   bool           // a flag without a value
	Choices  []string       // the values; nil: those of form
	form     *regexp.Regexp // of a value
	many     bool           // of values with blanks between them
}

// The forms of values. None begins with a hyphen, which would make an argument a flag.
var (
	number    = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
	moment    = regexp.MustCompile(`^[0-9][0-9A-Za-zµ:.+ -]{0,39}$`)
	resource  = regexp.MustCompile(`^[A-Za-z0-9][^\x00-\x1f\x7f]{0,199}$`)
	principal = regexp.MustCompile(`^(app|(user#)?[1-9][0-9]{0,18})$`)
	word      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./:=+-]{0,400}$`)
)

// verbs are all of them. Those of the command that are not here are in omitted.
func verbs() []verb {
	company := field{Name: "company", Label: "Company", Hint: "its id", Argument: true, Required: true, form: number}
	ring := field{Name: "ring", Label: "Ring", Argument: true, Required: true, Choices: []string{"seal", "webhook", "link"}}
	return []verb{
		{Name: "webhooks sync", Fields: []field{optional(company), {Name: "all", Label: "All connected companies", Switch: true}, {Name: "after", Label: "After", Hint: "with all: those with a higher id", form: number}}},
		{Name: "reconcile", Fields: []field{company}},
		{Name: "replay", Dry: true, Logs: true, Fields: selection("event",
			field{Name: "resource", Label: "Resource", Hint: "of one company, such as RFIs#1234; empty: all", form: resource},
			field{Name: "not-handled", Label: "Leave out what the consumer has finished", Switch: true},
		)},
		{Name: "quarantine replay", Dry: true, Fields: slices.Concat([]field{{Name: "id", Label: "Delivery", Hint: "company/digest; empty: those of a company", Argument: true, form: word}}, selection("delivery"))},
		{Name: "dead redrive"},
		{Name: "dead purge", Danger: true, Fields: []field{{Name: "id", Label: "Position", Hint: "the id of its message", Argument: true, Required: true, form: word}}},
		{Name: "refresh", Dry: true, Fields: []field{{Name: "principal", Label: "Whose token", Hint: "the id of a user, or app", Argument: true, Required: true, form: principal}, {Name: "now", Label: "Also if the access token is valid for longer", Switch: true}}},
		{Name: "breaker probe"},
		{Name: "rescue run", Fields: []field{{Name: "dead", Label: "Move those in the dead-letter queue back first", Switch: true}}},
		{Name: "departures acknowledge"},
		{Name: "service-account sync"},
		{Name: "keys rotate", Fields: []field{ring}},
		{Name: "keys retire", Danger: true, Fields: []field{ring, {Name: "key", Label: "Key", Hint: "such as k1", Argument: true, Required: true, form: word}}},
		{Name: "keys raise-epoch", Fields: []field{company}},
		{Name: "revoke", Danger: true, Fields: []field{company, {Name: "user", Label: "User", Hint: "the id of one user; empty: all connections", form: number}}},
		{Name: "erase", Danger: true, Fields: []field{company}},
		{Name: "restore", Dry: true, Fields: []field{
			{Name: "at", Label: "As of", Hint: "such as 2026-01-31T12:00:00Z", Required: true, form: moment},
			{Name: "except", Label: "Except companies", Hint: "ids with blanks between; nothing of these comes back", many: true, form: number},
			{Name: "keep-copies", Label: "Keep the copies in the end", Switch: true},
		}},
		{Name: "mark-restored", Danger: true},
	}
}

// typedOnly is a verb that changes something and is typed in a terminal alone.
type typedOnly struct{ Name, Why string }

// omitted are all of those.
func omitted() []typedOnly {
	return []typedOnly{
		{"login", "it asks for a code, which no page shows"},
		{"redeem", "it asks for a code and a verifier, which no page shows"},
		{"link", "a signed link comes with its verifier, which no page shows"},
	}
}

// unaudited is the flag that every change has.
const unaudited = "without-audit"

// selection are the fields of a replay, and more of them in between.
func selection(what string, more ...field) []field {
	return slices.Concat([]field{
		{Name: "company", Label: "Company", Hint: "its id; empty with all companies", form: number},
		{Name: "all-companies", Label: "All companies", Switch: true},
		{Name: "from", Label: "Arrived since", Hint: "how long ago, such as 90m or 3d, or a time in UTC, such as 2026-11-28T14:05", form: moment},
		{Name: "to", Label: "Arrived before", Hint: "likewise; empty: now", form: moment},
	}, more, []field{
		{Name: "limit", Label: "At most", Hint: "so many: " + what + " by " + what + " in order; empty: all", form: number},
		{Name: "position", Label: "Position", Hint: "where an earlier replay stopped, which showed it", form: word},
	})
}

func optional(f field) field {
	f.Required = false
	return f
}

// Path is the path of the verb's form.
func (v verb) Path() string { return "/changes/" + strings.ReplaceAll(v.Name, " ", "-") }

// find returns a verb by its name, or by the last part of its path.
func find(name string) (verb, bool) {
	for _, v := range verbs() {
		if name == v.Name || v.Path() == "/changes/"+name {
			return v, true
		}
	}
	return verb{}, false
}

// args returns what is typed for the fields of a form. The error is for the person who filled it in.
func (v verb) args(form url.Values) (args []string, err error) {
	args = strings.Fields(v.Name)
	var flags, arguments []string
	for _, f := range v.Fields {
		value := strings.TrimSpace(form.Get(f.Name))
		switch {
		case value == "" && f.Required:
			return nil, fmt.Errorf("%s is missing", f.Label)
		case value == "":
			continue
		case f.Switch:
			flags = append(flags, "--"+f.Name)
			continue
		}
		for _, one := range f.values(value) {
			switch {
			case f.Choices != nil && !slices.Contains(f.Choices, one), f.Choices == nil && !f.form.MatchString(one):
				return nil, fmt.Errorf("%s: %.40q is not such a value", f.Label, one)
			case f.Argument:
				arguments = append(arguments, one)
			default:
				flags = append(flags, "--"+f.Name+"="+one)
			}
		}
	}
	if form.Get(unaudited) != "" {
		flags = append(flags, "--"+unaudited)
	}
	return slices.Concat(args, arguments, flags), nil
}

// values are the values of a field.
func (f field) values(text string) []string {
	if f.many {
		return strings.Fields(text)
	}
	return []string{text}
}

// errBusy means that there are too many runs.
var errBusy = errors.New("there are too many changes under way; end one of them first")
