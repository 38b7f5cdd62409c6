package procore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// A Trigger makes its hook report one kind of change of one kind of resource.
//
// https://developers.procore.com/reference/rest/triggers?version=latest
type Trigger struct {
	ID int64 `json:"id"`
	// Resource is the resource_name: "RFIs".
	Resource string `json:"resource_name"`
	// EventType is create, update or delete. For a trigger that was set up as create
	// Procore may answer CREATE or CREATED; here it is create.
	EventType EventType `json:"event_type"`
}

// An EventType is create, update or delete.
type EventType string

// UnmarshalJSON reads create, CREATE and CREATED alike, so that triggers can be
// compared with what was configured.
func (t *EventType) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	s = strings.ToLower(s)
	switch s {
	case "created", "updated", "deleted":
		s = strings.TrimSuffix(s, "d")
	}
	*t = EventType(s)
	return nil
}

// Triggers lists the triggers of a hook.
func (c *CompanyClient) Triggers(ctx context.Context, hookID int64) iter.Seq2[Trigger, error] {
	return List[Trigger](ctx, c, triggersPath(hookID), c.companyQuery())
}

// CreateTrigger adds a trigger to the hook. It sends the hook's payload version,
// because a trigger with another version reports nothing. For a trigger that Procore
// has retired the error is a [*RetiredError].
func (c *CompanyClient) CreateTrigger(ctx context.Context, h Hook, resource string, t EventType) (Trigger, error) {
	if err := retired(resource, t); err != nil {
		return Trigger{}, err
	}
	body := struct {
		CompanyID      int64       `json:"company_id"`
		PayloadVersion string      `json:"api_version"`
		Trigger        triggerWire `json:"trigger"`
	}{c.companyID, h.PayloadVersion, triggerWire{resource, t}}
	return Post[Trigger](ctx, c, triggersPath(h.ID), nil, body)
}

// DeleteTrigger removes a trigger from its hook.
func (c *CompanyClient) DeleteTrigger(ctx context.Context, hookID, triggerID int64) error {
	return Delete(ctx, c, triggersPath(hookID)+"/"+decimal(triggerID), c.companyQuery())
}

type triggerWire struct {
	Resource  string    `json:"resource_name"`
	EventType EventType `json:"event_type"`
}

func triggersPath(hookID int64) string { return hookPath(hookID) + "/triggers" }

// A RetiredError reports a trigger, or the path of an endpoint, that Procore has
// retired. Nothing was called. Use the Replacement instead.
//
// https://procore.github.io/documentation/webhook-fanout-migration
// https://procore.github.io/documentation/vapid-deprecation
type RetiredError struct {
	// Resource is the trigger's resource, or the path.
	Resource string
	// EventType is empty for a path.
	EventType   EventType
	Replacement string
}

// Error names what was retired and its replacement.
func (e *RetiredError) Error() string {
	if e.EventType == "" {
		return fmt.Sprintf("procore: Procore retired %s; use %s", e.Resource, e.Replacement)
	}
	return fmt.Sprintf("procore: Procore retired the trigger %s/%s on 2026-06-30; use %s/%s", e.Resource, e.EventType, e.Replacement, e.EventType)
}

// Check returns an error for a trigger that Procore would refuse. For one that
// Procore has retired the error is a [*RetiredError].
func (t Trigger) Check() error {
	switch t.EventType {
	case "create", "update", "delete":
		return retired(t.Resource, t.EventType)
	}
	return fmt.Errorf("procore: trigger %q/%q: the event type is not create, update or delete", clip(t.Resource, 100), clip(string(t.EventType), 20))
}

// ParseTriggers reads triggers as an operator writes them, each once:
//
//	RFIs:create,update,delete;Projects:update
//
// A trigger that Procore has retired is a [*RetiredError].
func ParseTriggers(s string) ([]Trigger, error) {
	var all []Trigger
	for part := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		resource, types, ok := strings.Cut(part, ":")
		resource = strings.TrimSpace(resource)
		if !ok || resource == "" || len(resource) > maxResource {
			return nil, fmt.Errorf("procore: %.40q is not of the form RFIs:create,update,delete", part)
		}
		for t := range strings.SplitSeq(types, ",") {
			trigger := Trigger{Resource: resource, EventType: EventType(strings.TrimSpace(t))}
			if err := trigger.Check(); err != nil {
				return nil, err
			}
			if !slices.Contains(all, trigger) {
				all = append(all, trigger)
			}
		}
	}
	return all, nil
}

// maxResource bounds the name of a resource.
const maxResource = 100

func retired(resource string, t EventType) error {
	if t == "update" && (resource == "Project Users" || resource == "Project Vendors") {
		return &RetiredError{resource, t, strings.Replace(resource, "Project", "Company", 1)}
	}
	return nil
}
