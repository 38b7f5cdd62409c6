package procoretest

import (
	_ "embed"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// webhookResources lists which resources have triggers, and for which event types, as a
// developer sandbox listed them in February 2026. A fourth column names the only payload
// version that has the resource.
//
//go:embed webhook-resources.tsv
var webhookResources string

type webhookResource struct {
	scope, name string
	events      []string
	only        string
}

// allWebhookResources returns the list. The caller does not change it.
var allWebhookResources = sync.OnceValue(func() (all []webhookResource) {
	for line := range strings.Lines(webhookResources) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) >= 3 && f[0][0] != '#' {
			all = append(all, webhookResource{f[0], f[1], strings.Split(f[2], ","), strings.Join(f[3:], "")})
		}
	}
	return all
})

// webhookEvents returns the event types by resource that hooks of a version can report. A
// project's hook reports the resources of projects alone.
func webhookEvents(version string, project bool) map[string][]string {
	events := map[string][]string{}
	for _, r := range webhookResourcesOf(version, project) {
		events[r.name] = r.events
	}
	return events
}

// webhookResourcesOf returns the resources that hooks of a version can report.
func webhookResourcesOf(version string, project bool) (all []webhookResource) {
	for _, r := range allWebhookResources() {
		if (r.only == "" || r.only == version) && (!project || r.scope == "project") {
			all = append(all, r)
		}
	}
	return all
}

// listWebhookResources lists the resources of one payload version.
func (c *call) listWebhookResources() {
	project, ok := c.scope()
	if !ok {
		return
	}
	version := c.r.URL.Query().Get("payload_version")
	if !slices.Contains([]string{"v2.0", "v3.0", "v4.0"}, version) {
		c.fail(http.StatusBadRequest, "payload_version is required: v2.0, v3.0 or v4.0.")
		return
	}
	cut, ok := page(c, v2(), webhookResourcesOf(version, project != 0))
	if !ok {
		return
	}
	all := []map[string]any{}
	for _, r := range cut {
		all = append(all, map[string]any{"category": r.scope, "tool": r.name, "name": r.name, "payload_version": version, "actions": r.events})
	}
	c.data(http.StatusOK, all)
}
