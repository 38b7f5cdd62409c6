package procoretest

import (
	"net/http"
	"slices"
	"strings"
)

// maxTriggers limits the triggers of one hook.
const maxTriggers = 200

// trigger makes a hook report one type of event of one resource.
type trigger struct {
	id                      int64
	resourceName, eventType string
	version                 string // it reports only if this is the hook's version
}

type triggerFields struct {
	ResourceName string `json:"resource_name"`
	EventType    string `json:"event_type"`
}

// triggerJSON is a trigger as REST v2.0 returns it, with the event type in capitals.
//
// https://developers.procore.com/reference/rest/triggers?version=latest
func triggerJSON(h *hook, t trigger) map[string]any {
	return map[string]any{"id": idText(t.id), "webhook_hook_id": idText(h.id), "resource_name": t.resourceName,
		"event_type": strings.ToUpper(t.eventType), "company_id": idText(h.companyID), "project_id": nullableText(h.projectID)}
}

func (c *call) listTriggers() {
	h, ok := c.hook()
	if !ok {
		return
	}
	all := []map[string]any{}
	for _, t := range h.triggers {
		all = append(all, triggerJSON(h, t))
	}
	if cut, ok := page(c, v2(), all); ok {
		c.data(http.StatusOK, cut)
	}
}

// long returns the long spelling of a payload version: v2 and v2.0 are one format.
func long(version string) string {
	if version == "v2" {
		return "v2.0"
	}
	return version
}

// validReason reports whether event_type, or v4.0's reason, has a valid form.
func validReason(r string) bool {
	return r != "" && len(r) <= 64 && r[0] != '_' && strings.Trim(r, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// add adds a trigger to the hook, or returns the field that Procore refuses and why. A
// trigger reports in the version that its hook has now.
func (c *call) add(h *hook, f triggerFields) (t trigger, field, why string) {
	t = trigger{resourceName: f.ResourceName, eventType: strings.ToLower(f.EventType), version: long(h.version)}
	taken := slices.ContainsFunc(h.triggers, func(o trigger) bool {
		return o.resourceName == t.resourceName && o.eventType == t.eventType && o.version == t.version
	})
	events := webhookEvents(h.version, h.projectID != 0)[t.resourceName]
	switch {
	case t.resourceName == "" || events == nil:
		return t, "resource_name", "is not a resource of this payload version"
	case t.eventType == "update" && (t.resourceName == "Project Users" || t.resourceName == "Project Vendors"):
		return t, "resource_name", "no longer has an update trigger: use Company Users or Company Vendors"
	case !slices.ContainsFunc(events, func(e string) bool { return strings.EqualFold(e, t.eventType) }):
		return t, "event_type", "is not " + strings.Join(events, ", ")
	case taken:
		return t, "trigger", "has already been taken"
	case len(h.triggers) >= maxTriggers:
		return t, "trigger", "is one too many for this hook"
	}
	t.id = c.newID()
	h.triggers = append(h.triggers, t)
	c.keepTrigger(h, t)
	return t, "", ""
}

// createTrigger adds one trigger. Procore refuses those that it ended on 2026-06-30.
func (c *call) createTrigger() {
	h, ok := c.hook()
	var f triggerFields
	if !ok || !c.body(&f) {
		return
	}
	t, field, why := c.add(h, f)
	if why != "" {
		c.invalid(field, why)
		return
	}
	c.data(http.StatusCreated, triggerJSON(h, t))
}

// createTriggers adds several triggers, and answers 207 if some are refused. Procore does
// not document the body of that answer.
func (c *call) createTriggers() {
	h, ok := c.hook()
	var all []triggerFields
	if !ok || !c.body(&all) {
		return
	}
	made, failed := []any{}, []any{}
	for i, f := range all {
		var t trigger
		field, why := "base", "could not be saved"
		if !c.partial(i, len(all)) {
			t, field, why = c.add(h, f)
		}
		if why != "" {
			failed = append(failed, map[string]any{"resource_name": f.ResourceName, "event_type": f.EventType,
				"errors": map[string][]string{field: {why}}})
		} else {
			made = append(made, triggerJSON(h, t))
		}
	}
	if len(failed) == 0 {
		c.data(http.StatusCreated, made)
		return
	}
	c.data(http.StatusMultiStatus, map[string]any{"succeeded": made, "failed": failed})
}

// remove removes a trigger, and reports whether there was one.
func (c *call) remove(h *hook, id string) bool {
	i := slices.IndexFunc(h.triggers, func(t trigger) bool { return idText(t.id) == id })
	if i >= 0 {
		c.mu.forget(triggerKey(h.triggers[i].id))
		h.triggers = slices.Delete(h.triggers, i, i+1)
	}
	return i >= 0
}

func (c *call) deleteTrigger() {
	h, ok := c.hook()
	switch {
	case !ok:
	case !c.remove(h, c.r.PathValue("trigger")):
		c.fail(http.StatusNotFound, "The trigger does not exist.")
	default:
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (c *call) deleteTriggers() {
	h, ok := c.hook()
	var ids []string
	if !ok || !c.body(&ids) {
		return
	}
	gone, failed := []string{}, []any{}
	for i, id := range ids {
		switch {
		case c.partial(i, len(ids)):
			failed = append(failed, map[string]any{"id": id, "errors": []string{"could not be deleted"}})
		case c.remove(h, id):
			gone = append(gone, id)
		default:
			failed = append(failed, map[string]any{"id": id, "errors": []string{"does not exist"}})
		}
	}
	if len(failed) == 0 {
		c.data(http.StatusOK, map[string]any{"succeeded": gone})
		return
	}
	c.data(http.StatusMultiStatus, map[string]any{"succeeded": gone, "failed": failed})
}
