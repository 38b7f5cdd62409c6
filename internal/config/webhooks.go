package config

import (
	"net/url"
	"regexp"
	"strings"

	"procore-connect/pkg/procore"
)

// WebhookPath is where Procore delivers, below PUBLIC_URL.
const WebhookPath = "/webhooks/procore"

var namespace = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// Webhooks says which hook every connected company should have.
type Webhooks struct {
	Namespace string
	URL       string
	Triggers  []procore.Trigger // empty: webhooks are off
}

// Webhooks reads WEBHOOK_TRIGGERS, such as
//
//	RFIs:create,update,delete;Projects:update
//
// and WEBHOOK_NAMESPACE, which must be set if there are triggers.
func (e *Env) Webhooks(public *url.URL) Webhooks {
	w := Webhooks{URL: public.String() + WebhookPath, Triggers: e.triggers()}
	if len(w.Triggers) == 0 {
		return w
	}
	w.Namespace = e.Require("WEBHOOK_NAMESPACE")
	if w.Namespace != "" && !namespace.MatchString(w.Namespace) {
		e.fail("WEBHOOK_NAMESPACE", "may hold a-z, 0-9 and - only")
	}
	return w
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
