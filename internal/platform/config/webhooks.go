package config

import (
	"net/url"
	"strings"

	"procore-connect/pkg/procore"
)

// WebhookPath is where Procore delivers, below PUBLIC_URL.
const WebhookPath = "/webhooks/procore"

// Webhooks says which hook every connected company should have.
type Webhooks struct {
	Namespace string
	URL       string
	Triggers  []procore.Trigger // empty: webhooks are off
	// PayloadVersion is set by [Env.PayloadVersion], for the function that makes
	// hooks.
	PayloadVersion string
}

// Webhooks reads WEBHOOK_TRIGGERS, such as
//
//	RFIs:create,update,delete;Projects:update
//
// and WEBHOOK_NAMESPACE, which must be set if there are triggers. Without any it
// says where the hooks are that are to be deleted.
func (e *Env) Webhooks(public *url.URL) Webhooks {
	w := Webhooks{URL: public.String() + WebhookPath, Triggers: e.triggers()}
	if len(w.Triggers) == 0 {
		if n := e.Optional("WEBHOOK_NAMESPACE"); isNamespace(n) {
			w.Namespace = n
		}
		return w
	}
	w.Namespace = e.Require("WEBHOOK_NAMESPACE")
	if w.Namespace != "" && !isNamespace(w.Namespace) {
		e.fail("WEBHOOK_NAMESPACE", "may hold a-z, 0-9 and - only")
	}
	return w
}

// isNamespace is no regular expression: compiling one of a bounded repetition
// took longer than all else that our packages do at a start (GODEBUG=inittrace=1).
func isNamespace(s string) bool {
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, other)
}

// PayloadVersion reads WEBHOOK_PAYLOAD_VERSION: v2.0, v3.0 or v4.0. Empty means
// v2.0. Events of v4.0 do not say which app made a change.
//
// https://procore.github.io/documentation/payload-formats
func (e *Env) PayloadVersion() string {
	switch v := e.Optional("WEBHOOK_PAYLOAD_VERSION"); v {
	case "":
	case "v2.0", "v3.0", "v4.0":
		return v
	default:
		e.fail("WEBHOOK_PAYLOAD_VERSION", "%.20q is none of v2.0, v3.0, v4.0", v)
	}
	return "v2.0"
}

func (e *Env) triggers() []procore.Trigger {
	const name = "WEBHOOK_TRIGGERS"
	var all []procore.Trigger
	seen := map[procore.Trigger]bool{}
	for part := range strings.SplitSeq(e.Optional(name), ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		resource, types, ok := strings.Cut(part, ":")
		resource = strings.TrimSpace(resource)
		if !ok || resource == "" || len(resource) > 100 {
			e.fail(name, "%.40q is not of the form RFIs:create,update,delete", part)
			return nil
		}
		for t := range strings.SplitSeq(types, ",") {
			trigger := procore.Trigger{Resource: resource, EventType: procore.EventType(strings.TrimSpace(t))}
			if err := trigger.Check(); err != nil {
				e.fail(name, "%v", err)
				return nil
			}
			if !seen[trigger] {
				seen[trigger] = true
				all = append(all, trigger)
			}
		}
	}
	return all
}
