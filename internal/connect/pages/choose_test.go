package pages_test

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/connect/pages"
	"procore-connect/pkg/procore"
)

// radio is what a person reads or hears about one company, and what the form would send for it.
type radio struct {
	Value, Label, Description string
	Checked, Disabled         bool
}

func radios(p page) []radio {
	byID := map[string]string{}
	for n := range p.doc.Descendants() {
		if n.Data == "label" {
			byID["label "+attr(n, "for")] = text(n)
		}
		if id := attr(n, "id"); id != "" {
			byID[id] = text(n)
		}
	}
	var out []radio
	for _, n := range p.all("input") {
		if attr(n, "type") == "radio" {
			out = append(out, radio{attr(n, "value"), byID["label "+attr(n, "id")], byID[attr(n, "aria-describedby")], has(n, "checked"), has(n, "disabled")})
		}
	}
	return out
}

func TestChoose(t *testing.T) {
	t.Parallel()
	got := show(t, newPages(), situations()["choose"])
	want := []radio{
		{Value: "5678", Label: "Acme Construction", Description: "Procore company ID 5678"},
		{Value: "5679", Label: "Acme Construction", Description: "Procore company ID 5679"},
		{Value: "8089", Label: "Turner Brothers", Description: "Procore company ID 8089"},
		{Value: "9002", Label: "Elsewhere Inc", Disabled: true,
			Description: "Procore company ID 9002. Not enabled for Acme Connect."},
		{Value: "9001", Label: "Old Harbour Ltd", Disabled: true,
			Description: "Procore company ID 9001. Inactive in Procore."},
	}
	if diff := cmp.Diff(radios(got), want); diff != "" {
		t.Errorf("companies (-got +want):\n%s", diff)
	}
	for _, reason := range []string{"A company administrator can ask Procore to activate an inactive company.", "Ask help@acme.example to enable a company for Acme Connect. Include its company ID."} {
		if !contains(got, reason) {
			t.Errorf("the page lacks %q", reason)
		}
	}
	if len(got.all("form")) != 1 {
		t.Errorf("%d forms, want no filter for a few companies", len(got.all("form")))
	}
	form := got.all("form")[0]
	if attr(form, "method") != "post" || attr(form, "action") != publicURL+"/companies" {
		t.Errorf("form: %v", form.Attr)
	}
	fields := map[string]string{}
	for _, n := range got.all("input") {
		if attr(n, "type") == "hidden" {
			fields[attr(n, "name")] = attr(n, "value")
		} else if !has(n, "disabled") && (attr(n, "name") != pages.FieldCompany || !has(n, "required")) {
			t.Errorf("radio: %v", n.Attr)
		}
	}
	if diff := cmp.Diff(fields, map[string]string{pages.FieldFlow: "flow-1", pages.FieldCSRF: "csrf-1"}); diff != "" {
		t.Errorf("hidden fields (-got +want):\n%s", diff)
	}
	b := got.all("button")
	if len(b) != 2 || text(b[0]) != "Connect this company" {
		t.Fatalf("buttons: %d, want Connect this company first: it is what the Enter key presses", len(b))
	}
	if text(b[1]) != "Don't connect" || attr(b[1], "name") != pages.FieldCancel || !has(b[1], "formnovalidate") {
		t.Errorf("the second button is %v, want one that needs no choice", b[1].Attr)
	}
}

func TestChooseOne(t *testing.T) {
	t.Parallel()
	got := show(t, newPages(), situations()["choose one"])
	want := []radio{{Value: "5678", Label: "Acme Construction", Description: "Procore company ID 5678", Checked: true}}
	if diff := cmp.Diff(radios(got), want); diff != "" {
		t.Errorf("companies (-got +want):\n%s", diff)
	}
}

// The form sends the position at which a company is listed, however the page sorts and filters. What a browser made of it is
// an id, or an error.
func TestChosen(t *testing.T) {
	t.Parallel()
	listed := []pages.Company{{ID: 7, Name: "Zoo"}, {ID: 8, Name: "Arch", Position: 1}, {ID: 9, Name: "Zinc", Position: 1999}}
	got := radios(show(t, newPages(), choose(pages.Choice{Companies: listed, Filter: "z"})))
	if len(got) != 2 || got[0].Value != "9.1999" || got[1].Value != "7" {
		t.Errorf("got %v", got)
	}
	for value, want := range map[string]struct {
		id       int64
		position int
	}{"9.1999": {9, 1999}, "7": {7, 0}, "7.": {7, 0}, "7.x": {7, 0}, "-7.-1": {-7, -1}, "9223372036854775807.1": {math.MaxInt64, 1}} {
		if id, position, err := pages.Chosen(value); id != want.id || position != want.position || err != nil {
			t.Errorf("%q is company %d at %d, %v, want %d at %d", value, id, position, err, want.id, want.position)
		}
	}
	for _, value := range []string{"", ".", ".1", "x", "7x.1", "7 .1", "0x7", "99999999999999999999.1"} {
		if id, _, err := pages.Chosen(value); err == nil {
			t.Errorf("%q is company %d, want an error", value, id)
		}
	}
}

func TestChooseNoneAvailable(t *testing.T) {
	t.Parallel()
	got := show(t, newPages(), situations()["choose, none available"])
	if b := got.all("button"); len(b) != 1 || text(b[0]) != "Don't connect" || len(radios(got)) != 2 {
		t.Error("want the companies with their reasons, and no button except Don't connect")
	}
}

func TestChooseNothingChosen(t *testing.T) {
	t.Parallel()
	got := show(t, newPages(), situations()["choose, nothing"])
	if got.res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("status = %d, want 422", got.res.StatusCode)
	}
	var alert string
	for n := range got.doc.Descendants() {
		if attr(n, "role") == "alert" {
			alert = text(n)
		}
	}
	if !strings.Contains(alert, "You haven't chosen a company yet") {
		t.Errorf("alert = %q", alert)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	many := companies(2000)
	many[7].Name, many[8].Name = "Große Bau GmbH", "GROSSE BAU"
	many[9].Name, many[9].State = "Große Ruine", pages.Inactive
	tests := []struct {
		filter string
		want   []string // the ids that can be chosen
		shown  int
		count  string
	}{
		{"", nil, 51, "Showing 51 of 2,000 companies"},
		{"große", []string{"1008", "1007"}, 3, "3 of 2,000 companies found"},
		{"GROSSE R", nil, 1, "1 of 2,000 companies found"},
		{" 2999 ", []string{"2999"}, 1, "1 of 2,000 companies found"},
		{"no such name", nil, 0, "0 of 2,000 companies found"},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			t.Parallel()
			got := show(t, newPages(), choose(pages.Choice{Companies: many, Filter: tt.filter}))
			rs := radios(got)
			if len(rs) != tt.shown {
				t.Errorf("%d companies are shown, want %d", len(rs), tt.shown)
			}
			var available []string
			for _, r := range rs {
				if !r.Disabled {
					available = append(available, r.Value)
				}
				if r.Checked {
					t.Errorf("%s is chosen although the visitor chose nothing", r.Value)
				}
			}
			if tt.want != nil && !cmp.Equal(available, tt.want) {
				t.Errorf("companies = %v, want %v", available, tt.want)
			}
			if !strings.Contains(text(got.all("main")[0]), tt.count) {
				t.Errorf("the page lacks %q", tt.count)
			}
			form := got.all("form")[0]
			if attr(form, "method") != "get" || strings.Contains(text(form), "csrf") {
				t.Errorf("filter form: %v", form.Attr)
			}
		})
	}
}

// A list that did not come whole says so, with a way to the rest, and nothing on the page claims to know all companies.
func TestCut(t *testing.T) {
	t.Parallel()
	const notice = "Procore didn't send all of your companies in time, so yours may be missing. Try again"
	for name, tt := range map[string]struct{ title, count, again string }{
		"choose, cut":           {"Choose a company to connect", "Showing 50 of your first 1,400 companies.", ""},
		"choose, cut, filtered": {"Choose a company to connect", "0 of your first 1,400 companies found.", "&q=a+%26+b"},
		"choose, cut, one":      {"Choose a company to connect", "", ""},
		"choose, cut, none":     {"Choose a company to connect", "", ""},
	} {
		got := show(t, newPages(), situations()[name])
		shown := text(got.all("main")[0])
		if !strings.Contains(shown, notice) || !strings.Contains(shown, tt.title) || !strings.Contains(shown, tt.count) {
			t.Errorf("%s: got %q, want the notice, %q and %q", name, shown, tt.title, tt.count)
		}
		for _, r := range radios(got) {
			if r.Checked {
				t.Errorf("%s: company %s is chosen although there may be others", name, r.Value)
			}
		}
		var again string
		for _, a := range got.all("a") {
			if text(a) == "Try again" {
				again = attr(a, "href")
			}
		}
		if want := publicURL + "/companies?flow=flow-1" + tt.again; again != want {
			t.Errorf("%s: Try again leads to %q, want %q", name, again, want)
		}
	}
	if got := show(t, newPages(), choose(pages.Choice{Companies: companies(12), Cut: true})); !strings.Contains(got.body, "Showing your first 12 companies.") {
		t.Error("the count claims to be whole")
	}
	if got := show(t, newPages(), situations()["choose many"]); strings.Contains(text(got.all("main")[0]), "in time") {
		t.Error("a whole list has the notice")
	}
}

// TestFilterFormHasNoCSRF: a GET form's fields become part of an address, which must not contain a secret.
func TestFilterFormHasNoCSRF(t *testing.T) {
	t.Parallel()
	got := show(t, newPages(), situations()["choose many"])
	var names []string
	for n := range got.all("form")[0].Descendants() {
		if n.Data == "input" {
			names = append(names, attr(n, "name"))
		}
	}
	if diff := cmp.Diff(names, []string{pages.FieldFlow, pages.FieldFilter}); diff != "" {
		t.Errorf("fields of the filter (-got +want):\n%s", diff)
	}
}

func TestFilterStartsAboveEight(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{8: 1, 9: 2} {
		got := show(t, newPages(), choose(pages.Choice{Companies: companies(n)}))
		if len(got.all("form")) != want {
			t.Errorf("%d companies: %d forms, want %d", n, len(got.all("form")), want)
		}
	}
}

// TestHostileNames: names and filters come from outside.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("W", 5000)
	for _, name := range []string{hostile, long, "", "\xff\xfe", "a\r\nb\x00"} {
		for _, w := range []write{
			choose(pages.Choice{Companies: []pages.Company{{ID: 1, Name: name}}}),
			choose(pages.Choice{Companies: companies(9), Filter: name}),
			func(p *pages.Pages, w http.ResponseWriter, r *http.Request) {
				p.Connected(w, r, pages.Connection{CompanyName: name, UserName: name})
			},
			func(p *pages.Pages, w http.ResponseWriter, r *http.Request) {
				p.Choose(w, r, pages.Choice{UserName: name, Flow: name, CSRF: procore.NewSecret("c")})
			},
			problem(pages.UserInstallsOff(name)), problem(pages.CompanyInactive(name)), problem(pages.CompanyNotAdmitted(name)),
			problem(pages.NotConnected(name)), problem(pages.NoPermission(name)),
			problem(pages.Problem{What: "x", Detail: name}),
		} {
			got := show(t, newPages(), w)
			if len(got.all("script")) != 0 {
				t.Errorf("%.20q became a script", name)
			}
			shown := text(got.all("main")[0])
			if strings.Contains(shown, "\u202e") || strings.Contains(shown, strings.Repeat("W", 400)) {
				t.Errorf("%.20q is shown unchanged", name)
			}
			checkFields(t, got)
		}
	}
}

func TestNameless(t *testing.T) {
	t.Parallel()
	got := radios(show(t, newPages(), choose(pages.Choice{Companies: []pages.Company{{ID: 1 << 40}}})))
	if want := "Procore company ID " + strconv.Itoa(1<<40); len(got) != 1 || got[0].Label != want {
		t.Errorf("%v, want the label %q", got, want)
	}
}
