package procore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

const hooksPath = "/rest/v1.0/webhooks/hooks"

// A Hook makes Procore send the company's events to a URL. Our hook is the one with
// our namespace and our URL.
//
// https://procore.github.io/documentation/webhooks-api
type Hook struct {
	ID             int64  `json:"id"`
	Namespace      string `json:"namespace"`
	DestinationURL string `json:"destination_url"`
	// DestinationHeaders show which credential is set: Procore masks all but the last
	// five characters. They must not be sent back.
	DestinationHeaders Headers `json:"destination_headers"`
	// PayloadVersion is v2 (or v2.0), v3.0 or v4.0. REST v1.0 calls it api_version.
	PayloadVersion string `json:"api_version"`
	// CompanyID and ProjectID name the owner; one of them is 0.
	CompanyID int64 `json:"owned_by_company_id"`
	ProjectID int64 `json:"owned_by_project_id"`
}

// ParsePayloadVersion reads the payload version of a hook: v2.0, v3.0, v4.0, or empty if
// none is chosen. Events of v4.0 do not name the app that made a change.
//
// https://procore.github.io/documentation/payload-formats
func ParsePayloadVersion(s string) (string, error) {
	switch s {
	case "", "v2.0", "v3.0", "v4.0":
		return s, nil
	}
	return "", fmt.Errorf("procore: payload version %.20q is not v2.0, v3.0 or v4.0", s)
}

// A HookSpec describes a hook to create or to change. An update does not change a field
// that is empty here.
type HookSpec struct {
	// Namespace is [a-z0-9-], one per app and the same in all companies. An update
	// does not change it.
	Namespace string
	// DestinationURL is https.
	DestinationURL string
	// Headers are sent with each delivery. Their Authorization is the only proof
	// that a delivery comes from Procore.
	Headers Headers
	// PayloadVersion is v2.0, v3.0 or v4.0.
	PayloadVersion string
}

// Headers maps names to secret values.
type Headers map[string]Secret

// UnmarshalJSON reads the headers that Procore shows.
func (h *Headers) UnmarshalJSON(b []byte) error {
	var shown map[string]string
	if err := json.Unmarshal(b, &shown); err != nil {
		return err
	}
	*h = make(Headers, len(shown))
	for name, value := range shown {
		(*h)[name] = NewSecret(value)
	}
	return nil
}

// Hooks lists the company's hooks in one namespace.
func (c *CompanyClient) Hooks(ctx context.Context, namespace string) iter.Seq2[Hook, error] {
	query := c.companyQuery()
	query.Set("namespace", namespace)
	return List[Hook](ctx, c, hooksPath, query)
}

// CreateHook creates a hook of the company. It needs the Webhooks API permission
// at Standard; without it the error is [ErrForbidden].
func (c *CompanyClient) CreateHook(ctx context.Context, spec HookSpec) (Hook, error) {
	return Post[Hook](ctx, c, hooksPath, nil, hookBody{CompanyID: c.companyID, Hook: spec.wire()})
}

// UpdateHook changes the hook to match spec.
func (c *CompanyClient) UpdateHook(ctx context.Context, hookID int64, spec HookSpec) (Hook, error) {
	spec.Namespace = ""
	return Patch[Hook](ctx, c, hookPath(hookID), nil, hookBody{CompanyID: c.companyID, Hook: spec.wire()})
}

// DeleteHook deletes the hook with its triggers.
func (c *CompanyClient) DeleteHook(ctx context.Context, hookID int64) error {
	return Delete(ctx, c, hookPath(hookID), c.companyQuery())
}

func hookPath(id int64) string { return hooksPath + "/" + decimal(id) }

// hookBody is the only type that writes a header's value.
type hookBody struct {
	CompanyID int64    `json:"company_id"`
	Hook      hookWire `json:"hook"`
}

type hookWire struct {
	Namespace      string            `json:"namespace,omitempty"`
	PayloadVersion string            `json:"api_version,omitempty"`
	DestinationURL string            `json:"destination_url,omitempty"`
	Headers        map[string]string `json:"destination_headers,omitempty"`
}

func (s HookSpec) wire() hookWire {
	headers := make(map[string]string, len(s.Headers))
	for name, value := range s.Headers {
		headers[name] = value.Reveal()
	}
	return hookWire{s.Namespace, s.PayloadVersion, s.DestinationURL, headers}
}

// MarshalJSON writes the sorted names, for loggers that write structs as JSON.
func (h Headers) MarshalJSON() ([]byte, error) {
	return json.Marshal(slices.Sorted(maps.Keys(h)))
}

// Masks reports whether value can be the header that Procore shows in h with all
// but its last five characters masked. A hook that still has last year's credential
// shows this way.
func (h Headers) Masks(name string, value Secret) bool {
	shown := strings.TrimLeft(h[name].Reveal(), "*")
	return shown != "" && strings.HasSuffix(value.Reveal(), shown)
}
