package provision

import (
	"strings"

	"procore-connect/internal/platform/config"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
)

// Path is where Procore delivers, below PUBLIC_URL.
const Path = "/webhooks/procore"

// Config is the hook that every connected company should have.
type Config struct {
	Namespace string
	URL       string
	Triggers  []procore.Trigger // empty: webhooks are off
	// Unreachable reports that Procore cannot deliver to URL. No hook is made then, and changes are found by
	// reconciliation alone.
	Unreachable bool
	// PayloadVersion is v2.0, v3.0, v4.0, or empty: see [PayloadVersion].
	PayloadVersion string
}

// ReadConfig reads WEBHOOK_TRIGGERS, WEBHOOK_NAMESPACE and WEBHOOK_PAYLOAD_VERSION. If
// there are triggers, a namespace is required. Without triggers it is that of the hooks to
// delete. publicURL is PUBLIC_URL. Without https, which PUBLIC_URL may lack on loopback alone, Procore cannot deliver
// there; only a fake in a custom environment can.
func ReadConfig(env *config.Env, publicURL string) Config {
	c := Config{URL: publicURL + Path, Namespace: env.Optional("WEBHOOK_NAMESPACE")}
	c.Unreachable = strings.HasPrefix(publicURL, "http://") && env.Optional("PROCORE_ENVIRONMENT") != "custom"
	var err error
	if c.Triggers, err = procore.ParseTriggers(env.Optional("WEBHOOK_TRIGGERS")); err != nil {
		env.Fail("WEBHOOK_TRIGGERS", "%v", err)
	}
	switch {
	case len(c.Triggers) == 0 && !isNamespace(c.Namespace):
		c.Namespace = ""
	case len(c.Triggers) > 0 && env.Require("WEBHOOK_NAMESPACE") != "" && !isNamespace(c.Namespace):
		env.Fail("WEBHOOK_NAMESPACE", "may hold a-z, 0-9 and - only")
	}
	if c.PayloadVersion, err = procore.ParsePayloadVersion(env.Optional("WEBHOOK_PAYLOAD_VERSION")); err != nil {
		env.Fail("WEBHOOK_PAYLOAD_VERSION", "%v", err)
	}
	for _, t := range c.Triggers {
		if c.PayloadVersion != "" && c.PayloadVersion != "v4.0" && !t.EventType.Basic() {
			env.Fail("WEBHOOK_TRIGGERS", "%.100q is for v4.0 alone, and WEBHOOK_PAYLOAD_VERSION is %s", t, c.PayloadVersion)
		}
	}
	return c
}

// off reports whether a company should have no hook.
func (c Config) off() bool { return len(c.Triggers) == 0 || c.Unreachable }

// Initial returns the webhook state of a company that has just been connected.
func (c Config) Initial() connections.Webhooks {
	if len(c.Triggers) == 0 {
		return connections.WebhooksOff
	}
	return connections.WebhooksPending
}

// isNamespace reports whether s is a valid namespace. It does not use a regular
// expression: compiling one with a bounded repetition took longer than all other
// initialization of our packages (GODEBUG=inittrace=1).
func isNamespace(s string) bool {
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, other)
}
