package procore

import (
	"cmp"
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
	ID ID `json:"id"`
	// Resource is the resource_name: "RFIs".
	Resource string `json:"resource_name"`
	// EventType is create, update, delete, or for a hook of v4.0 another reason such as
	// Completed.
	EventType EventType `json:"event_type"`
}

// An EventType is create, update, delete or another reason of v4.0.
type EventType string

// UnmarshalJSON reads create, CREATE and CREATED alike, and another reason as it is. In an
// object it is the name: the reference does not say of what form the actions of a
// [WebhookResource] are.
func (t *EventType) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		var named struct {
			Name, Action string
			EventType    string `json:"event_type"`
		}
		if _, wrong := Unmarshal(b, &named); wrong != nil {
			return err
		}
		text = cmp.Or(named.Name, named.Action, named.EventType)
	}
	if *t = EventType(text); t.Basic() {
		*t = t.Normal()
	}
	return nil
}

// Normal returns create for create, CREATE and CREATED, and so on, and any other reason in
// lower case.
func (t EventType) Normal() EventType {
	s := strings.ToLower(strings.TrimSpace(string(t)))
	switch s {
	case "created", "updated", "deleted":
		s = strings.TrimSuffix(s, "d")
	}
	return EventType(s)
}

// Key is the same for two triggers that report the same, however their names are written.
func (t Trigger) Key() string {
	return strings.ToLower(strings.TrimSpace(t.Resource)) + ":" + string(t.EventType.Normal())
}

// String returns the trigger as [ParseTriggers] reads it.
func (t Trigger) String() string { return t.Resource + ":" + string(t.EventType) }

// Triggers lists the triggers of a hook.
func (c *CompanyClient) Triggers(ctx context.Context, hookID ID) iter.Seq2[Trigger, error] {
	return List[Trigger](ctx, c, c.triggersPath(hookID), nil)
}

// CreateTrigger adds a trigger to the hook. For a trigger that Procore has retired the
// error is a [*RetiredError]. [CompanyClient.CreateTriggers] adds several in one call.
func (c *CompanyClient) CreateTrigger(ctx context.Context, hookID ID, t Trigger) (Trigger, error) {
	if err := retired(t); err != nil {
		return Trigger{}, err
	}
	return Post[Trigger](ctx, c, c.triggersPath(hookID), nil, t.wire())
}

// DeleteTrigger removes a trigger from its hook.
func (c *CompanyClient) DeleteTrigger(ctx context.Context, hookID, triggerID ID) error {
	return Delete(ctx, c, c.triggersPath(hookID)+"/"+triggerID.String(), nil)
}

type triggerWire struct {
	Resource  string    `json:"resource_name"`
	EventType EventType `json:"event_type"`
}

func (t Trigger) wire() triggerWire { return triggerWire{t.Resource, t.EventType} }

func (c *CompanyClient) triggersPath(hookID ID) string { return c.hookPath(hookID) + "/triggers" }

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

// Check returns an error for a trigger that Procore would refuse for a hook of any payload
// version. For one that Procore has retired the error is a [*RetiredError]. Which
// resources and event types there are, [CompanyClient.WebhookResources] lists.
func (t Trigger) Check() error {
	other := func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' && r != ' ' && r != '-' }
	if n := t.EventType.Normal(); n == "" || len(n) > maxEventType || strings.ContainsFunc(string(n), other) {
		return fmt.Errorf("procore: trigger %q:%q: the event type is not create, update, delete or another word",
			clip(t.Resource, 100), clip(string(t.EventType), 20))
	}
	return retired(t)
}

// Basic reports whether a hook of any payload version can report the event type.
func (t EventType) Basic() bool {
	n := t.Normal()
	return n == "create" || n == "update" || n == "delete"
}

// ParseTriggers reads triggers as an operator writes them, each once:
//
//	RFIs:create,update,delete;Projects:update;Document Upload:Completed
//
// Names are kept as they are written. A trigger that Procore has retired is a [*RetiredError].
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
			if !slices.ContainsFunc(all, func(t Trigger) bool { return t.Key() == trigger.Key() }) {
				all = append(all, trigger)
			}
		}
	}
	return all, nil
}

// The bounds of a trigger's names.
const (
	maxResource  = 100
	maxEventType = 64
)

func retired(t Trigger) error {
	switch t.Key() {
	case "project users:update":
		return &RetiredError{t.Resource, "update", "Company Users"}
	case "project vendors:update":
		return &RetiredError{t.Resource, "update", "Company Vendors"}
	}
	return nil
}
