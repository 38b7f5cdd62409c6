package procoretest

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
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

// triggerJSON is a trigger as REST v1.0 returns it, with the event type in capitals.
//
// https://developers.procore.com/reference/rest/triggers?version=latest
func triggerJSON(h *hook, t trigger) map[string]any {
	v := map[string]any{"id": t.id, "webhook_hook_id": h.id, "resource_name": t.resourceName, "resource_id": nil,
		"event_type": strings.ToUpper(t.eventType), "company_id": h.companyID, "project_id": nil, "user_id": nil}
	if h.projectID != 0 {
		v["company_id"], v["project_id"] = nil, h.projectID
	}
	return v
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
	writeJSON(c.w, http.StatusOK, all) // not a paginated endpoint
}

// long returns the long spelling of a payload version: v2 and v2.0 are one format.
func long(version string) string {
	if version == "v2" {
		return "v2.0"
	}
	return version
}

// validReason reports whether event_type, or v4.0's reason, has a valid form.
func validReason(r string) bool { return regexp.MustCompile(`^[a-z][a-z_]{0,63}$`).MatchString(r) }

func basicReason(r string) bool { return r == "create" || r == "update" || r == "delete" }

// createTrigger requires an api_version beside the trigger, as in Procore's reference,
// and refuses the triggers that Procore ended on 2026-06-30.
func (c *call) createTrigger() {
	h, req, ok := c.hook()
	if !ok {
		return
	}
	if req.Trigger == nil || or(req.APIVersion, req.PayloadVersion) == "" {
		c.invalid("trigger", `is missing: the form is {"company_id": 1, "api_version": "v2", "trigger": {"resource_name": "RFIs", "event_type": "create"}}`)
		return
	}
	t := trigger{resourceName: req.Trigger.ResourceName, eventType: strings.ToLower(req.Trigger.EventType),
		version: long(or(req.APIVersion, req.PayloadVersion))}
	taken := slices.ContainsFunc(h.triggers, func(o trigger) bool {
		return o.resourceName == t.resourceName && o.eventType == t.eventType && o.version == t.version
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
		c.invalid("trigger", "is one too many for this hook")
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
	h.triggers = slices.Delete(h.triggers, i, i+1)
}
