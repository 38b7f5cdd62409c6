package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	namespace = "sandbox-check"
	// nowhere is an address that no one can have (RFC 2606).
	nowhere = "https://sandbox-check.invalid/webhooks"
)

// sent is what is sent for a hook.
type sent struct {
	destination, authorization string
	triggers                   []map[string]string
}

// webhooks makes a hook with triggers, reads all of it, and deletes it.
func (c *checker) webhooks(ctx context.Context, p pair) {
	w := sent{destination: nowhere, authorization: "Bearer sandbox-check-" + rand.Text(), triggers: []map[string]string{
		{"resource_name": "RFIs", "event_type": "create"}, {"resource_name": "RFIs", "event_type": "update"}, {"resource_name": "RFIs", "event_type": "delete"},
	}}
	if c.Public != "" {
		w.destination = c.Public + hookPath
	}
	base := "/rest/v2.0/companies/" + c.company + "/webhooks/hooks"
	call := func(method, path string, body any) seen {
		return c.wire.api(ctx, method, path, p.access, c.company, body)
	}
	get := func(path string) seen { return c.get(ctx, path, p.access, c.company) }

	created := call(http.MethodPost, base, map[string]any{
		"payload_version": "v3.0", "namespace": namespace, "destination_url": w.destination, "destination_headers": map[string]string{"Authorization": w.authorization},
	})
	c.probe(w, created)
	id := text(created.data(), "id")
	if !created.ok() || id == "" {
		c.add(c.notCreated(created, base))
		return
	}
	hook := base + "/" + id
	bulk := call(http.MethodPost, hook+"/triggers/bulk", w.triggers)
	read, list := get(hook), get(base+"?namespace="+namespace)
	one, all := get(hook+"/triggers?per_page=1"), get(hook+"/triggers?per_page=100")
	patched := call(http.MethodPatch, hook, map[string]any{"status": "active"})
	deliveries := get(hook + "/deliveries")
	deleted := c.remove(ctx, p, hook)
	c.add(versionFinding([]seen{created, read, list, bulk, all, patched, deliveries, deleted},
		[]string{"create", "read", "list", "bulk", "triggers", "change", "deliveries", "delete"}))
	c.echoes(w, read, all)
	c.links(one)
}

// notCreated judges an answer without a hook's id, and notes a hook that may have been made all the same.
func (c *checker) notCreated(created seen, base string) finding {
	f := versionFinding([]seen{created}, []string{"create"})
	switch {
	case created.ok():
		f.Fact, f.Verdict = f.Fact+" without an id", breaks
	case slices.Contains([]int{401, 403, 404}, created.status), c.Public == "" && refused(created):
		f.Verdict = undecided // this user lacks the permission, which hides what there is, or the address is refused
	default:
		f.Verdict = decided(created, false)
	}
	if created.ok() || created.err != nil || created.status >= 500 {
		c.leftover = append(c.leftover, fmt.Sprintf("perhaps a webhook in namespace %s of company %s: delete it if it is there, %s", namespace, c.company, base))
	}
	return f
}

// remove deletes the hook, whatever became of ctx, and notes one that stays.
func (c *checker) remove(ctx context.Context, p pair, hook string) (s seen) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for range 3 {
		if s = c.wire.api(ctx, http.MethodDelete, hook, p.access, c.company, nil); s.ok() || s.status == http.StatusNotFound {
			return s
		}
	}
	c.leftover = append(c.leftover, fmt.Sprintf("the webhook in namespace %s of company %s: delete it, %s", namespace, c.company, hook))
	return s
}

func versionFinding(calls []seen, names []string) finding {
	f := finding{
		ID: "webhooks v2.0", Question: "Are webhooks of REST v2.0 there, and with which statuses?",
		Did: "made a hook with three triggers in the company, read it, and deleted it", Assumption: "they are; any 2xx is a success", Where: "pkg/procore/hooks.go",
	}
	var facts []string
	works := true
	for i, s := range calls {
		facts = append(facts, names[i]+" "+s.verdict())
		f.Saw = append(f.Saw, s.String())
		works = works && s.ok()
	}
	f.Fact, f.Verdict = strings.Join(facts, ", "), holds(works)
	return f
}

// probe judges what came to the hook's address before the hook was made.
func (c *checker) probe(w sent, created seen) {
	c.mu.Lock()
	probes := slices.Clone(c.probes)
	c.mu.Unlock()
	f := finding{
		ID: "probe of an address", Question: "Does Procore probe a webhook's address before it accepts a hook?",
		Did: "made a hook to an address that listens", Saw: []string{created.String()},
		Assumption: "it may, by HEAD, which is answered 200", Where: "functions/webhook-receiver", Verdict: undecided,
	}
	switch {
	case len(probes) == 0 && !created.ok() && !refused(created):
		f.Fact = "no hook was made: " + created.verdict()
	case c.Public == "" && created.ok():
		f.Did, f.Fact, f.Verdict = "made a hook to an address that no one can have", "a hook is accepted although nothing answers", confirms
	case c.Public == "":
		f.Did, f.Fact = "made a hook to an address that no one can have", "refused: "+created.verdict()+"; -public ADDRESS of a tunnel decides"
	case len(probes) > 0:
		f.Fact = strings.Join(probes, ", ") + ", and then " + created.verdict()
		f.Verdict = holds(!slices.ContainsFunc(probes, func(m string) bool { return m != http.MethodHead }))
	case refused(created):
		f.Fact = "nothing came, and then " + created.verdict() + ": does the tunnel lead here?"
	default:
		f.Fact, f.Verdict = "nothing came", confirms
	}
	c.add(f)
}

// refused reports whether Procore calls a request wrong.
func refused(s seen) bool { return s.err == nil && (s.status == 400 || s.status == 422) }

// echoes compares what was sent for the hook with what Procore shows.
func (c *checker) echoes(w sent, read, triggers seen) {
	hook := read.data()
	c.add(finding{
		ID: "echoes of a hook", Question: "Does Procore show a hook as it was sent?", Did: "read the hook", Saw: []string{read.String(), "fields " + names(hook)},
		Fact: fmt.Sprintf("id %s, status %q, namespace %s, address %s, headers %s, field names %s", kindOf(field(hook, "id")), clip(text(hook, "status")),
			likeness(namespace, text(hook, "namespace")), address(w.destination, text(hook, "destination_url")), headers(hook, w.authorization), letters(hook)),
		Assumption: "address, status and names are compared without case, slash and default port; headers are never compared", Where: "internal/webhook/provision/names.go",
		Verdict: decided(read, strings.EqualFold(normal(text(hook, "destination_url")), normal(w.destination)) && text(hook, "id") != ""),
	})
	items, _ := triggers.data().([]any)
	known, echo := map[string]bool{}, map[string]bool{}
	for _, t := range items {
		resource, typ := text(t, "resource_name"), text(t, "event_type")
		if i := slices.IndexFunc(w.triggers, func(s map[string]string) bool {
			return strings.EqualFold(s["resource_name"], resource) && likeType(s["event_type"], typ) != "other"
		}); i >= 0 {
			known[w.triggers[i]["event_type"]] = true
			echo["resource "+likeness("RFIs", resource)+", type "+likeType(w.triggers[i]["event_type"], typ)] = true
		}
	}
	c.add(finding{
		ID: "echoes of triggers", Question: "Does Procore show triggers as they were sent?", Did: "listed the three triggers, 100 a page",
		Saw: []string{triggers.String()}, Fact: fmt.Sprintf("items: %d, with %d of 3 triggers; %s", len(items), len(known), strings.Join(slices.Sorted(maps.Keys(echo)), "; ")),
		Assumption: "in any letter case, as CREATED too; a list may have odd or repeated items, and more pages than asked for", Where: "pkg/procore/triggers.go",
		Verdict: decided(triggers, len(known) > 0),
	})
}

var linked = regexp.MustCompile(`<([^>]*)>`)

// links describes the links from the first of several pages.
func (c *checker) links(s seen) {
	f := finding{
		ID: "links of pages", Question: "Do Link headers carry the API's scheme and host?", Did: "listed three triggers, one a page", Saw: []string{s.String()},
		Assumption: "they may lead anywhere: only their query is taken, and without them Total decides whether a page follows", Where: "pkg/procore/pages.go", Verdict: decided(s, true),
	}
	values := s.header.Values("Link")
	kinds := map[string]bool{}
	for _, m := range linked.FindAllStringSubmatch(strings.Join(values, ", "), -1) {
		kinds[c.target(m[1])] = true
	}
	to := strings.Join(slices.Sorted(maps.Keys(kinds)), " and ")
	if len(kinds) == 0 {
		to = "absent"
	}
	form := ""
	if all := strings.Join(values, ", "); len(values) > 0 && !strings.Contains(all, `rel="next"`) {
		form = ", rel in another form"
	}
	if len(values) > 1 {
		form += ", a field for each"
	}
	f.Fact = fmt.Sprintf("Link %s%s, Total %s, Per-Page %s", to, form, number(s.header, "Total", "3"), number(s.header, "Per-Page", "1"))
	c.add(f)
}

// target names where a link leads.
func (c *checker) target(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return "unreadable"
	}
	to := "to the API"
	switch {
	case u.Host == "" && u.Path == "":
		to = "to a query alone"
	case u.Host == "":
		to = "to a path alone"
	case !strings.HasPrefix(link, c.Environment.APIURL+"/"):
		to = "to " + clip(u.Scheme+"://"+u.Host)
	}
	if strings.HasSuffix(u.Path, "/") {
		to += ", with a slash at the path's end"
	}
	return to
}

// number describes a header that should have this number.
func number(h http.Header, name, want string) string {
	switch got := h.Get(name); {
	case got == want:
		return "right"
	case got == "":
		return "absent"
	case strings.Trim(got, "0123456789") == "":
		return "another number"
	}
	return "no number"
}

// answers describes the form of all answers.
func (c *checker) answers(ctx context.Context, p pair) {
	s := c.get(ctx, "/rest/v1.0/me", p.access, "")
	form := []string{fmt.Sprintf("%q", clip(s.header.Get("Content-Type")))}
	for what, is := range map[string]bool{"gzip": s.coded, "a byte order mark": s.marked, "blanks around": len(strings.TrimSpace(string(s.body)))+2 < len(s.body)} {
		if is {
			form = append(form, what)
		}
	}
	slices.Sort(form[1:])
	h := s.header
	c.add(finding{
		ID: "form of answers", Question: "In which form are answers, and what do they say of limits?", Did: "read /me, without asking for a coding", Saw: []string{s.String(), "headers " + strings.Join(slices.Sorted(maps.Keys(h)), ", ")},
		Fact: fmt.Sprintf("status %d, %s, Date %s; limit %s, remaining %s, reset %s", s.status, strings.Join(form, ", "), date(h.Get("Date")),
			digits(h.Get("X-Rate-Limit-Limit")), digits(h.Get("X-Rate-Limit-Remaining")), reset(h)),
		Assumption: "JSON in any coding and under any content type; limits are read from the headers if they make sense", Where: "pkg/procore/decode.go", Verdict: decided(s, s.ok()),
	})
	odd := strings.Join(slices.Sorted(maps.Keys(c.gateways)), ", ")
	if odd == "" {
		odd = "none"
	}
	c.add(finding{
		ID: "answers of a gateway", Question: "Does something answer a GET in the API's place?", Did: "repeated each GET that was answered without JSON", Fact: odd,
		Assumption: "it may, and a GET is repeated", Where: "pkg/procore/gateway.go", Verdict: confirms,
	})
}

func date(text string) string {
	if text == "" {
		return "absent"
	}
	if _, err := http.ParseTime(text); err != nil {
		return "in another form"
	}
	return "right"
}

func digits(text string) string {
	switch {
	case text == "":
		return "absent"
	case text == "0":
		return "0"
	case strings.Trim(text, "0123456789") == "":
		return "a number"
	}
	return "no number"
}

// reset describes when the limit's window ends, by Procore's own clock if it is shown.
func reset(h http.Header) string {
	at := digits(h.Get("X-Rate-Limit-Reset"))
	if at != "a number" {
		return at
	}
	n, _ := json.Number(h.Get("X-Rate-Limit-Reset")).Int64()
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	switch in := time.Unix(n, 0).Sub(now); {
	case in < -time.Minute:
		return "in the past"
	case in <= time.Hour+time.Minute:
		return "within the hour"
	}
	return "far in the future"
}

// likeness compares a name.
func likeness(want, got string) string {
	switch {
	case got == want:
		return "as sent"
	case strings.TrimSpace(got) == want:
		return "with blanks"
	case strings.EqualFold(got, want):
		return "in another letter case"
	case got == "":
		return "absent"
	}
	return "other"
}

// likeType compares an event type, of which the reference shows capitals.
func likeType(want, got string) string {
	past := strings.ToUpper(want) + "D"
	switch got {
	case want:
		return "as sent"
	case strings.ToUpper(want):
		return "in capitals"
	case past:
		return "in the past, in capitals"
	}
	if strings.EqualFold(want, got) {
		return "in another letter case"
	}
	return "other"
}

// address compares a destination.
func address(want, got string) string {
	switch {
	case got == want:
		return "as sent"
	case strings.TrimRight(got, "/") == want:
		return "with a slash at its end"
	case strings.EqualFold(got, want):
		return "in another letter case"
	case normal(got) == normal(want):
		return "with its port"
	case got == "":
		return "absent"
	}
	return "other"
}

// normal returns an address without what means nothing.
func normal(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	host := strings.ToLower(u.Hostname())
	if p := u.Port(); p != "" && (u.Scheme != "https" || p != "443") {
		host += ":" + p
	}
	return strings.ToLower(u.Scheme) + "://" + host + strings.TrimRight(u.Path, "/")
}

// headers describes what is shown of the credential, which was made for this hook.
func headers(hook any, authorization string) string {
	shown := text(field(hook, "destination_headers"), "Authorization")
	switch {
	case shown == "":
		return "absent"
	case shown == authorization:
		return "shown in full"
	case strings.HasSuffix(authorization, strings.TrimLeft(shown, "*")) && strings.Trim(shown, "*") != "":
		return "masked except their end"
	}
	return "masked"
}

// letters describes the names of fields.
func letters(v any) string {
	o, _ := v.(map[string]any)
	if _, documented := o["destination_url"]; documented {
		return "as documented"
	}
	return "in another letter case"
}

// names lists an object's fields.
func names(v any) string {
	o, _ := v.(map[string]any)
	all := slices.Sorted(maps.Keys(o))
	for i := range all {
		all[i] = clip(all[i])
	}
	return strings.Join(all[:min(len(all), 40)], ", ")
}

// clip bounds a text from outside.
func clip(text string) string {
	if len(text) > 60 {
		return strings.ToValidUTF8(text[:60], "") + "..."
	}
	return text
}
