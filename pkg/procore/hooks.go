package procore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
)

// A Hook makes Procore send the company's events to a URL. The headers that Procore shows
// are not read: they are masked, so they do not prove which credential is set.
//
// https://developers.procore.com/reference/rest/hooks?version=latest
type Hook struct {
	ID ID `json:"id"`
	// Status is [HookActive], or [HookDisabled] after repeated failures of deliveries.
	Status         HookStatus `json:"status"`
	Namespace      string     `json:"namespace"`
	DestinationURL string     `json:"destination_url"`
	// PayloadVersion is v2.0 (or v2), v3.0 or v4.0.
	PayloadVersion string `json:"payload_version"`
	// CompanyID and ProjectID name the owner. ProjectID is 0 for a company's hook.
	CompanyID int64 `json:"company_id"`
	ProjectID int64 `json:"project_id"`
}

// A HookStatus is active or disabled.
type HookStatus string

// The statuses of a hook. Procore disables a hook whose deliveries keep failing; it then
// reports nothing until [CompanyClient.UpdateHook] makes it active.
const (
	HookActive   HookStatus = "active"
	HookDisabled HookStatus = "disabled"
)

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
	// Namespace is [a-z0-9-], one per app and the same in all companies.
	Namespace string
	// DestinationURL is https.
	DestinationURL string
	// Headers are sent with each delivery. Their Authorization is the only proof
	// that a delivery comes from Procore.
	Headers Headers
	// PayloadVersion is v2.0, v3.0 or v4.0.
	PayloadVersion string
	// Status is for an update. A new hook is active.
	Status HookStatus
}

// Headers maps names to secret values.
type Headers map[string]Secret

// MarshalJSON writes the sorted names, for loggers that write structs as JSON.
func (h Headers) MarshalJSON() ([]byte, error) {
	return json.Marshal(slices.Sorted(maps.Keys(h)))
}

// Hooks lists the company's hooks in one namespace, which is required.
func (c *CompanyClient) Hooks(ctx context.Context, namespace string) iter.Seq2[Hook, error] {
	return List[Hook](ctx, c, c.hooksPath(), url.Values{"namespace": {namespace}})
}

// Hook reads one hook, whatever its namespace. Without it the error is [ErrNotFound].
func (c *CompanyClient) Hook(ctx context.Context, id ID) (Hook, error) {
	return Get[Hook](ctx, c, c.hookPath(id), nil)
}

// CreateHook creates a hook of the company. It needs the Webhooks API permission
// at Standard; without it the error is [ErrForbidden].
func (c *CompanyClient) CreateHook(ctx context.Context, spec HookSpec) (Hook, error) {
	spec.Status = ""
	return Post[Hook](ctx, c, c.hooksPath(), nil, spec.wire())
}

// UpdateHook changes the hook to match spec.
func (c *CompanyClient) UpdateHook(ctx context.Context, id ID, spec HookSpec) (Hook, error) {
	return Patch[Hook](ctx, c, c.hookPath(id), nil, spec.wire())
}

// DeleteHook deletes the hook with its triggers, and what waits for delivery.
func (c *CompanyClient) DeleteHook(ctx context.Context, id ID) error {
	return Delete(ctx, c, c.hookPath(id), nil)
}

func (c *CompanyClient) webhooksPath() string {
	return "/rest/v2.0/companies/" + decimal(c.companyID) + "/webhooks"
}

func (c *CompanyClient) hooksPath() string { return c.webhooksPath() + "/hooks" }

func (c *CompanyClient) hookPath(id ID) string { return c.hooksPath() + "/" + id.String() }

// hookWire is the only type that writes a header's value.
type hookWire struct {
	Namespace      string            `json:"namespace,omitempty"`
	PayloadVersion string            `json:"payload_version,omitempty"`
	DestinationURL string            `json:"destination_url,omitempty"`
	Headers        map[string]string `json:"destination_headers,omitempty"`
	Status         HookStatus        `json:"status,omitempty"`
}

func (s HookSpec) wire() hookWire {
	headers := make(map[string]string, len(s.Headers))
	for name, value := range s.Headers {
		headers[name] = value.Reveal()
	}
	return hookWire{s.Namespace, s.PayloadVersion, s.DestinationURL, headers, s.Status}
}
