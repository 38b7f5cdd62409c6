package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procoretest"
)

// bent is what a quirk changes of the plain facts: the check, what it says without the quirk, and what it says with it.
// A quirk that is not here concerns what no check tries.
var bent = map[string][]string{
	"second-kill":   {"second authorization", "it lives", "it is revoked"},
	"second-return": {"second authorization", "it lives", "it is returned again"},
	"kills-access":  {"old access token", "lives", "is refused"},
	"long-tokens":   {"answer to a code", "up to 1,000", "over 1,000"},

	"gateway-502":   {"answers of a gateway", "none", "502 without JSON"},
	"gateway-503":   {"answers of a gateway", "none", "503 without a body"},
	"gateway-504":   {"answers of a gateway", "none", "504 without JSON"},
	"gateway-520":   {"answers of a gateway", "none", "520 without a body"},
	"gateway-524":   {"answers of a gateway", "none", "524 without JSON"},
	"gateway-page":  {"answers of a gateway", "none", "200 without JSON"},
	"gateway-empty": {"answers of a gateway", "none", "200 without a body"},
	"gateway-401":   {"answers of a gateway", "none", "401 without JSON"},
	"gateway-403":   {"answers of a gateway", "none", "403 without JSON"},
	"redirect":      {"answers of a gateway", "none", "307 without a body"},
	"disabled":      {"echoes of a hook", `"active"`, `"disabled"`},

	"status-201": slices.Concat(everySuccess("201"), []string{"webhooks v2.0", "200", "201"}),
	"status-202": slices.Concat(everySuccess("202"), []string{"webhooks v2.0", "200", "202"}),
	"status-200": {"webhooks v2.0", "201", "200"},
	"delete-200": {"webhooks v2.0", "delete 204", "delete 200"},

	"revoke-text":    {"revocation", "object", "no JSON"},
	"grant-401":      {"spent refresh token", "400", "401"},
	"no-header-401":  {"company header", "400", "401"},
	"no-header-403":  {"company header", "400", "403"},
	"token-type":     {"answer to a code", `"bearer"`, `"BEARER "`},
	"callback-extra": {"answer to a code", "with code, state", "with code, iss, scope, session_state, state"},

	"pages":         onePage(),
	"link-relative": onePage("to the API", "to a path alone"),
	"link-query":    onePage("to the API", "to a query alone"),
	"link-https":    onePage("to the API", "to https://127.0.0.1"),
	"link-host":     onePage("to the API", "to http://us02.procore.com"),
	"link-port":     onePage("to the API", "to http://10.0.3.7:9292"),
	"link-slash":    onePage("to the API", "to a path alone, with a slash at the path's end"),
	"link-rel":      onePage("to the API", "to the API, rel in another form"),
	"link-fields":   onePage("to the API", "to the API, a field for each"),
	"link-absent":   onePage("Link to the API", "Link absent"),
	"total-absent":  onePage("Total right, Per-Page right", "Total absent, Per-Page absent"),
	"total-0":       onePage("Total right", "Total another number"),
	"total-odd":     onePage("Total right", "Total no number"),
	"item-twice":    {"echoes of triggers", "items: 3", "items: 4"},
	"odd-items":     {"echoes of triggers", "items: 3", "items: 8"},

	"limits-absent": {"form of answers", "limit a number, remaining a number, reset within the hour", "limit absent, remaining absent, reset absent"},
	"limits-0":      {"form of answers", "limit a number, remaining a number", "limit 0, remaining 0"},
	"limits-odd":    {"form of answers", "limit a number, remaining a number, reset within the hour", "limit no number, remaining no number, reset no number"},
	"limits-past":   {"form of answers", "within the hour", "in the past"},
	"limits-ms":     {"form of answers", "within the hour", "far in the future"},
	"date-absent":   {"form of answers", "Date right", "Date absent"},
	"date-odd":      {"form of answers", "Date right", "Date in another form"},
	"type-charset":  {"form of answers", `"application/json; charset=utf-8"`, `"Application/JSON;Charset=\"UTF-8\""`},
	"type-text":     {"form of answers", "application/json; charset=utf-8", "text/plain"},
	"type-html":     {"form of answers", "application/json", "text/html"},
	"type-absent":   {"form of answers", "application/json; charset=utf-8", ""},
	"blanks":        {"form of answers", `utf-8"`, `utf-8", blanks around`},
	"bom":           {"form of answers", `utf-8"`, `utf-8", a byte order mark`},
	"gzip":          {"form of answers", `utf-8"`, `utf-8", gzip`},

	"absent":       needless("absent"),
	"null":         needless("absent"),
	"odd":          needless("list"),
	"numbers-text": {"answer to a code", "expires_in number, created_at number", "expires_in text, created_at text"},

	"field-case":     {"echoes of a hook", "names as documented", "names in another letter case"},
	"ids-number":     {"echoes of a hook", "id text", "id number"},
	"url-slash":      {"echoes of a hook", "address as sent", "address with a slash at its end"},
	"url-case":       {"echoes of a hook", "address as sent", "address in another letter case"},
	"url-port":       {"echoes of a hook", "address as sent", "address with its port"},
	"headers-masked": {"echoes of a hook", "masked except their end", "masked"},
	"headers-absent": {"echoes of a hook", "masked except their end", "absent"},
	"state-case":     {"echoes of a hook", `"active"`, `"ACTIVE"`},
	"resource-case":  {"echoes of triggers", "resource as sent", "resource in another letter case"},
	"type-past":      {"echoes of triggers", "type in capitals", "type in the past, in capitals"},
	"type-title":     {"echoes of triggers", "type in capitals", "type in another letter case"},
}

// onePage is that a page has one item, whatever was asked for, and a change of how pages are linked.
func onePage(links ...string) []string {
	changes := []string{"echoes of triggers", "items: 3, with 3", "items: 1, with 1"}
	if links != nil {
		changes = append(append(changes, "links of pages"), links...)
	}
	return changes
}

// everySuccess is another status than 200, webhooks aside.
func everySuccess(status string) []string {
	var all []string
	for _, check := range []string{"answer to a code", "form of answers", "revocation", "revocation of an expired token"} {
		all = append(all, check, "200", status)
	}
	return all
}

// needless is what becomes of the fields that an answer does not need.
func needless(kind string) []string {
	return []string{"answer to a code", "created_at number", "created_at " + kind, "echoes of a hook", "masked except their end", "absent"}
}

// Each way in which the fake can be crooked is found, and nothing else.
func TestQuirks(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, q := range procoretest.Quirks() {
		known[q.Name] = true
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			listens := q.Name == "probe-head" // else no hook could be made
			changes := map[string]string{}
			for c := range slices.Chunk(bent[q.Name], 3) {
				if changes[c[0]] = strings.ReplaceAll(plain[c[0]], c[1], c[2]); changes[c[0]] == plain[c[0]] {
					t.Fatalf("%q is not among the plain facts of %s", c[1], c[0])
				}
			}
			if listens {
				changes["probe of an address"] = "confirms: HEAD, and then 201"
			}
			tr := newTrial(t, procoretest.Options{Crooked: q.Name}, listens)
			got, r := tr.facts(t)
			if d := cmp.Diff(got, expected(changes)); d != "" {
				t.Errorf("facts (-got +want):\n%s", d)
			}
			tr.clean(t, r)
		})
	}
	for name := range bent {
		if !known[name] {
			t.Errorf("there is no quirk %s", name)
		}
	}
}
