package provision

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	ourURL   = "https://connect.acme.com/webhooks/procore"
	otherURL = "https://staging.acme.com/webhooks/procore"
)

// company's state for the tests: the hook 7 is as it should be.
func inOrder() (wanted, observed, Memory) {
	triggers := []procore.Trigger{{Resource: "RFIs", EventType: "create"}, {Resource: "RFIs", EventType: "update"}}
	want := wanted{credential: "k1.0", triggers: triggers, spec: procore.HookSpec{Namespace: "acme", DestinationURL: ourURL, PayloadVersion: "v3.0"}}
	have := observed{at: time.Unix(1_790_000_000, 0), by: tokens.User(1),
		hook:     procore.Hook{ID: "7", Status: procore.HookActive, Namespace: "acme", DestinationURL: ourURL, PayloadVersion: "v3.0", CompanyID: 5678},
		triggers: []procore.Trigger{{ID: "1", Resource: "RFIs", EventType: "create"}, {ID: "2", Resource: "RFIs", EventType: "update"}},
	}
	return want, have, Memory{HookID: "7", Creator: tokens.User(1), Credential: "k1.0", Version: "v3.0"}
}

// shown writes steps in one line.
func shown(steps []step) string {
	var all []string
	for _, s := range steps {
		name := s.do.String()
		if s.hook != "" && (s.do == deleteHook || s.do == createHook) {
			name += " " + s.hook.String()
		}
		if s.activate {
			name += " active"
		}
		if s.do == patchHook {
			for _, r := range s.repairs {
				name += " " + r.Field
			}
		}
		for _, t := range s.triggers {
			name += " " + t.String()
		}
		all = append(all, name)
	}
	return strings.Join(all, "; ")
}

func TestPlan(t *testing.T) {
	t.Parallel()
	resources := []procore.WebhookResource{
		{Name: "RFIs", Actions: []procore.EventType{"create", "update"}},
		{Name: "Company Users", Actions: []procore.EventType{"create", "update"}},
		{Name: "Document Upload", Actions: []procore.EventType{"Created", "Completed"}},
		{Name: " Odd ", Actions: []procore.EventType{""}},
	}
	tests := []struct {
		name   string
		change func(*wanted, *observed, *Memory)
		want   string
		wrong  string // part of the problem
	}{
		{"in order", func(*wanted, *observed, *Memory) {}, "", ""},
		{"none", func(_ *wanted, h *observed, m *Memory) { h.hook, h.triggers, *m = procore.Hook{}, nil, Memory{} }, "create", ""},
		{"none any more", func(_ *wanted, h *observed, _ *Memory) { h.hook = procore.Hook{} }, "create", ""},
		{"new to us", func(_ *wanted, _ *observed, m *Memory) { *m = Memory{} }, "patch credential", ""},
		{"v2 is v2.0", func(w *wanted, h *observed, m *Memory) {
			w.spec.PayloadVersion, h.hook.PayloadVersion, m.Version = "v2.0", "V2", "v2.0"
		}, "", ""},
		{"another version", func(_ *wanted, h *observed, _ *Memory) { h.hook.PayloadVersion = "v2.0" }, "patch payload version", ""},
		{"triggers of another version", func(_ *wanted, _ *observed, m *Memory) { m.Version = "v2.0" },
			"remove RFIs:create RFIs:update; add RFIs:create RFIs:update", ""},
		{"another URL", func(_ *wanted, h *observed, _ *Memory) { h.hook.DestinationURL = otherURL }, "patch URL", ""},
		{"URL with a slash", func(_ *wanted, h *observed, _ *Memory) { h.hook.DestinationURL = ourURL + "/" }, "", ""},
		{"URL in capitals", func(_ *wanted, h *observed, _ *Memory) {
			h.hook.DestinationURL = "HTTPS://Connect.ACME.com:443/webhooks/procore"
		}, "", ""},
		{"path in capitals", func(_ *wanted, h *observed, _ *Memory) { h.hook.DestinationURL = strings.ToUpper(ourURL) }, "patch URL", ""},
		{"nothing shown", func(_ *wanted, h *observed, _ *Memory) { h.hook = procore.Hook{ID: "7"} }, "", ""},
		{"another key", func(w *wanted, _ *observed, _ *Memory) { w.credential = "k2.0" }, "patch credential", ""},
		{"another epoch", func(_ *wanted, _ *observed, m *Memory) { m.Credential = "k1.1" }, "patch credential", ""},
		{"disabled", func(_ *wanted, h *observed, _ *Memory) { h.hook.Status = "DISABLED" }, "patch active status", ""},
		{"another namespace", func(_ *wanted, h *observed, _ *Memory) { h.hook.Namespace = "former" }, "patch namespace", ""},
		{"all at once", func(w *wanted, h *observed, _ *Memory) {
			w.credential, h.hook.Status, h.hook.DestinationURL = "k2.0", "disabled", otherURL
		}, "patch active URL credential status", ""},
		{"names in another case", func(_ *wanted, h *observed, _ *Memory) {
			h.triggers = []procore.Trigger{{ID: "1", Resource: "RFIS", EventType: "UPDATED"}, {ID: "2", Resource: "rfis", EventType: "Create"}}
		}, "", ""},
		{"one too few, one too many", func(_ *wanted, h *observed, _ *Memory) { h.triggers[0].EventType = "delete" },
			"add RFIs:create; remove RFIs:delete", ""},
		{"one twice", func(_ *wanted, h *observed, _ *Memory) {
			h.triggers = append(h.triggers, procore.Trigger{ID: "3", Resource: "RFIs", EventType: "create"})
		}, "remove RFIs:create", ""},
		{"one listed twice, one without an id", func(_ *wanted, h *observed, _ *Memory) {
			h.triggers = append(h.triggers, h.triggers[0], procore.Trigger{Resource: "RFIs", EventType: "delete"})
		}, "", ""},
		{"written as Procore writes it", func(w *wanted, h *observed, _ *Memory) {
			h.resources = resources
			w.triggers = append(w.triggers, procore.Trigger{Resource: "document upload", EventType: "completed"}, procore.Trigger{Resource: "Document Upload", EventType: "create"})
		}, "add Document Upload:Completed Document Upload:Created", ""},
		{"of a resource without known actions", func(w *wanted, h *observed, _ *Memory) {
			w.triggers, h.resources = append(w.triggers, procore.Trigger{Resource: "Odd", EventType: "create"}), resources
		}, "add Odd:create", ""},
		{"no such resource", func(w *wanted, h *observed, _ *Memory) {
			w.triggers, h.resources = append(w.triggers, procore.Trigger{Resource: "Company User", EventType: "update"}), resources
		}, "", `the nearest is "Company Users"`},
		{"no such event type, and one that is missing", func(w *wanted, h *observed, _ *Memory) {
			w.triggers, h.resources, h.triggers = append(w.triggers, procore.Trigger{Resource: "Company Users", EventType: "delete"}), resources, h.triggers[:1]
		}, "add RFIs:update", `only create, update for "Company Users"`},
		{"two of ours", func(_ *wanted, h *observed, _ *Memory) { h.twins = []procore.Hook{{ID: "8"}, {ID: "9"}} }, "delete 8; delete 9", ""},
		{"a successor without triggers", func(_ *wanted, h *observed, m *Memory) {
			h.twins, h.triggers, m.Replaces = []procore.Hook{{ID: "6"}}, nil, "6"
		}, "add RFIs:create RFIs:update; delete 6", ""},
		{"a successor in another version", func(_ *wanted, h *observed, _ *Memory) {
			h.twins, h.hook.PayloadVersion = []procore.Hook{{ID: "6"}}, "v2.0"
		}, "patch payload version", ""},
		{"its creator is gone", func(_ *wanted, h *observed, _ *Memory) { h.orphaned = true }, "create 7", ""},
		{"its creator is gone, and no two may be", func(_ *wanted, h *observed, m *Memory) { h.orphaned, m.alone = true, true }, "delete 7", ""},
		{"its creator is gone, deliveries wait", func(w *wanted, h *observed, _ *Memory) {
			h.orphaned, h.waiting, w.credential = true, true, "k2.0"
		}, "patch credential", ""},
		{"off", func(w *wanted, h *observed, _ *Memory) { w.off, h.twins = true, []procore.Hook{{ID: "8"}} }, "delete 8; delete 7", ""},
		{"off, and none", func(w *wanted, h *observed, _ *Memory) { w.off, h.hook = true, procore.Hook{} }, "", ""},
	}
	for _, tt := range tests {
		want, have, m := inOrder()
		tt.change(&want, &have, &m)
		steps, next, err := plan(want, have, m)
		if got := shown(steps); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if (err != nil) != (tt.wrong != "") || err != nil && (!errors.Is(err, procore.ErrInvalid) || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.wrong)
		}
		if len(next.Repairs) > 0 {
			t.Errorf("%s: remembers %v before anything was tried", tt.name, next.Repairs)
		}
	}
}

// What was repaired in vain waits: for a day if it is cosmetic, else from an hour to a day.
// Any change of the difference ends the wait.
func TestPlanRemembers(t *testing.T) {
	t.Parallel()
	essential := []int{1, 2, 4, 8, 16, 24, 24} // hours
	cosmetic := []int{24, 24, 24}
	for name, tt := range map[string]struct {
		change func(*observed)
		again  func(*observed) // another difference of the same field
		waits  []int
	}{
		"URL":                 {func(h *observed) { h.hook.DestinationURL = otherURL }, func(h *observed) { h.hook.DestinationURL = otherURL + "2" }, essential},
		"status":              {func(h *observed) { h.hook.Status = "disabled" }, func(h *observed) { h.hook.Status = "broken" }, essential},
		"hook":                {func(h *observed) { h.hook = procore.Hook{} }, nil, essential},
		"trigger RFIs:create": {func(h *observed) { h.triggers = h.triggers[1:] }, nil, essential},
		"namespace":           {func(h *observed) { h.hook.Namespace = "x" }, func(h *observed) { h.hook.Namespace = "y" }, cosmetic},
		"payload version":     {func(h *observed) { h.hook.PayloadVersion = "v4.0" }, func(h *observed) { h.hook.PayloadVersion = "v2.0" }, cosmetic},
		"twin 8":              {func(h *observed) { h.twins = []procore.Hook{{ID: "8"}} }, nil, cosmetic},
	} {
		want, have, m := inOrder()
		if name == "payload version" {
			m.Version = "v4.0" // its triggers report
		}
		plain := have
		tt.change(&have)
		for i, hours := range tt.waits {
			wait := time.Duration(hours) * time.Hour
			steps, next, _ := plan(want, have, m)
			if len(steps) != 1 || len(steps[0].repairs) != 1 || steps[0].repairs[0].Field != name || steps[0].repairs[0].Tries != i+1 {
				t.Fatalf("%s, attempt %d: got %s, %v", name, i+1, shown(steps), steps)
			}
			m = next
			m.note(steps[0].repairs)
			for _, early := range []time.Duration{0, wait - time.Second} {
				later := have
				later.at = have.at.Add(early)
				steps, next, err := plan(want, later, m)
				if len(steps) > 0 || len(next.Repairs) != 1 || (err != nil) != (tt.waits[0] == 1) {
					t.Errorf("%s, %v after attempt %d: got %q, %v, %v", name, early, i+1, shown(steps), next.Repairs, err)
				}
			}
			have.at = have.at.Add(wait)
		}
		have.at = plain.at
		if tt.again != nil {
			tt.again(&have)
			if steps, _, err := plan(want, have, m); len(steps) != 1 || err != nil {
				t.Errorf("%s, of another value: got %q, %v", name, shown(steps), err)
			}
		}
		if steps, next, err := plan(want, plain, m); (name != "payload version" && name != "hook" && len(steps) > 0) || len(next.Repairs) > 0 || err != nil {
			t.Errorf("%s, in order again: got %q, %v, %v", name, shown(steps), next.Repairs, err)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	hook := func(id procore.ID, url string) procore.Hook {
		return procore.Hook{ID: id, Namespace: "Acme", DestinationURL: url}
	}
	other := procore.Hook{ID: "5", Namespace: "other", DestinationURL: ourURL}
	for name, tt := range map[string]struct {
		listed []procore.Hook
		m      Memory
		want   string
	}{
		"none":                          {nil, Memory{}, " [] []"},
		"ours":                          {[]procore.Hook{hook("7", ourURL+"/")}, Memory{}, "7 [] []"},
		"a foreign URL":                 {[]procore.Hook{hook("7", otherURL)}, Memory{}, " [] [7]"},
		"a foreign URL beside ours":     {[]procore.Hook{hook("6", otherURL), hook("7", ourURL)}, Memory{}, "7 [] [6]"},
		"known, with another URL":       {[]procore.Hook{hook("7", otherURL)}, Memory{HookID: "7"}, "7 [] []"},
		"known, with another, and ours": {[]procore.Hook{hook("7", otherURL), hook("9", ourURL)}, Memory{HookID: "7"}, "7 [9] []"},
		"several":                       {[]procore.Hook{hook("10", ourURL), hook("9", ourURL), hook("8", ourURL), hook("8", ourURL)}, Memory{}, "8 [9 10] []"},
		"several, the higher one known": {[]procore.Hook{hook("7", ourURL), hook("9", ourURL)}, Memory{HookID: "9"}, "9 [7] []"},
		"one that ours replaces":        {[]procore.Hook{hook("6", otherURL), hook("9", ourURL)}, Memory{HookID: "9", Replaces: "6"}, "9 [6] []"},
		"known, in another namespace":   {[]procore.Hook{other}, Memory{HookID: "5"}, "5 [] []"},
		"another namespace":             {[]procore.Hook{other}, Memory{}, " [] []"},
		"a project's":                   {[]procore.Hook{{ID: "7", Namespace: "acme", DestinationURL: ourURL, ProjectID: 12}}, Memory{}, " [] []"},
		"without an id":                 {[]procore.Hook{hook("", ourURL)}, Memory{}, " [] []"},
	} {
		want, _, _ := inOrder()
		have := choose(tt.listed, want, tt.m)
		var twins []procore.ID
		for _, h := range have.twins {
			twins = append(twins, h.ID)
		}
		if got := fmt.Sprint(have.hook.ID, " ", twins, " ", have.foreign); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{ourURL, ourURL + "/", "https://connect.acme.com:443/webhooks/procore", "HTTPS://CONNECT.acme.com./webhooks/procore", " " + ourURL},
		{"http://127.0.0.1:3000/x", "http://127.0.0.1:3000/x/"},
		{"http://a/x", "http://a:80/x"},
		{"https://a:80/x"}, {"https://a/X"}, {"https://a/x?q=1"}, {"%"}, {""},
	} {
		for _, s := range same {
			if address(s) != address(same[0]) {
				t.Errorf("%q is %q, want %q", s, address(s), address(same[0]))
			}
		}
		if slices.Contains([]string{address(otherURL)}, address(same[0])) {
			t.Errorf("%q is the other", same[0])
		}
	}
	if distance("kitten", "sitting") != 3 || distance("", "ab") != 2 || distance("ab", "") != 2 {
		t.Error("the distance is wrong")
	}
}
