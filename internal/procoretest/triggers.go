package procoretest

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
)

// maxTriggers bounds one hook.
const maxTriggers = 200

// trigger makes a hook report one kind of event of one resource.
type trigger struct {
	id                      int64
	resourceName, eventType string
}

type triggerFields struct {
	ResourceName string `json:"resource_name"`
	EventType    string `json:"event_type"`
}

func triggerJSON(h *hook, t trigger) map[string]any {
	return map[string]any{"id": t.id, "hook_id": h.id, "webhooks_hook_id": h.id, "api_version": h.version,
		"resource_name": t.resourceName, "event_type": t.eventType}
}

func (c *call) listTriggers() {
	h, _, ok := c.hook()
	if !ok {
		return
	}
	all := []map[string]any{}
	for _, t := range h.triggers {
		all = append(all, triggerJSON(h, t))
	}
	if cut, ok := page(c, v1(), all); ok {
		writeJSON(c.w, http.StatusOK, cut)
	}
}

// validReason is what event_type, and v4.0's reason, may be.
func validReason(r string) bool { return regexp.MustCompile(`^[a-z][a-z_]{0,63}$`).MatchString(r) }

func basicReason(r string) bool { return r == "create" || r == "update" || r == "delete" }

// createTrigger wants an api_version beside the trigger, as Procore's reference
// says, and refuses the triggers that ended on 2026-06-30.
func (c *call) createTrigger() {
	h, req, ok := c.hook()
	if !ok {
		return
	}
	if req.Trigger == nil || or(req.APIVersion, req.PayloadVersion) == "" {
		c.invalid("trigger", `{"company_id": 1, "api_version": "v2", "trigger": {"resource_name": "RFIs", "event_type": "create"}} is the form`)
		return
	}
	t := trigger{resourceName: req.Trigger.ResourceName, eventType: req.Trigger.EventType}
	taken := slices.ContainsFunc(h.triggers, func(o trigger) bool {
		return o.resourceName == t.resourceName && o.eventType == t.eventType
	})
	switch {
	case t.resourceName == "" || len(t.resourceName) > 100:
		c.invalid("resource_name", "is missing or too long")
	case !validReason(t.eventType) || !basicReason(t.eventType) && h.version != "v4.0":
		c.invalid("event_type", "is not create, update or delete")
	case t.eventType == "update" && (t.resourceName == "Project Users" || t.resourceName == "Project Vendors"):
		c.invalid("resource_name", "no longer has an update trigger: use Company Users or Company Vendors")
	case taken:
		c.invalid("trigger", "has already been taken")
	case len(h.triggers) >= maxTriggers:
		c.invalid("trigger", "there are too many already")
	default:
		t.id = c.newID()
		h.triggers = append(h.triggers, t)
		writeJSON(c.w, http.StatusCreated, triggerJSON(h, t))
	}
}

func (c *call) deleteTrigger() {
	h, _, ok := c.hook()
	if !ok {
		return
	}
	id, _ := strconv.ParseInt(c.r.PathValue("trigger"), 10, 64)
	i := slices.IndexFunc(h.triggers, func(t trigger) bool { return t.id == id })
	if i < 0 {
		c.fail(http.StatusNotFound, "The trigger does not exist.")
		return
	}
	t := h.triggers[i]
	h.triggers = slices.Delete(h.triggers, i, i+1)
	writeJSON(c.w, http.StatusOK, triggerJSON(h, t))
}
