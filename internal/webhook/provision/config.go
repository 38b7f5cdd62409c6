package provision

import "procore-connect/pkg/procore"

// Path is where Procore delivers, below PUBLIC_URL.
const Path = "/webhooks/procore"

// Config is the hook that every connected company should have.
type Config struct {
	Namespace string
	URL       string
	Triggers  []procore.Trigger // empty: webhooks are off
	// PayloadVersion is v2.0, v3.0, v4.0, or empty: see [PayloadVersion].
	PayloadVersion string
}
