package provision

import "procore-connect/pkg/procore"

// Path is where Procore delivers, below PUBLIC_URL.
const Path = "/webhooks/procore"

// Config is the hook that every connected company should have.
type Config struct {
	Namespace string
	URL       string
	Triggers  []procore.Trigger // empty: webhooks are off
	// PayloadVersion is needed to make a hook, and not to delete one.
	PayloadVersion string
}
