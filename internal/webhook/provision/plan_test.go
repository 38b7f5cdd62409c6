package provision

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
)

const (
	ourURL   = "https://connect.acme.com/webhooks/procore"
	otherURL = "https://staging.acme.com/webhooks/procore"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	want := procore.HookSpec{Namespace: "acme", DestinationURL: ourURL, PayloadVersion: "v2.0",
		Headers: procore.Headers{"Authorization": procore.NewSecret("Bearer k1.5678.0.maccc")}}
	hook := func(id procore.ID, change func(*procore.Hook)) procore.Hook {
		h := procore.Hook{ID: id, Namespace: "acme", DestinationURL: ourURL, PayloadVersion: "v2.0", CompanyID: 5678}
		if change != nil {
			change(&h)
		}
		return h
	}
	at := func(url string) func(*procore.Hook) { return func(h *procore.Hook) { h.DestinationURL = url } }
	tests := []struct {
		name    string
		listed  []procore.Hook
		row     Row
		keep    procore.ID // empty: none is found
		patch   bool
		remove  []procore.ID
		foreign []procore.ID
	}{
		{name: "none"},
		{name: "as it should be", listed: []procore.Hook{hook("7", nil)}, keep: "7"},
		{name: "v2 is v2.0", listed: []procore.Hook{hook("7", func(h *procore.Hook) { h.PayloadVersion = "v2" })}, keep: "7"},
		{name: "another version", listed: []procore.Hook{hook("7", func(h *procore.Hook) { h.PayloadVersion = "v3.0" })}, keep: "7", patch: true},
		{name: "a foreign URL", listed: []procore.Hook{hook("7", at(otherURL))}, foreign: []procore.ID{"7"}},
		{name: "a foreign URL beside ours", listed: []procore.Hook{hook("6", at(otherURL)), hook("7", nil)}, keep: "7", foreign: []procore.ID{"6"}},
		{name: "our old URL", listed: []procore.Hook{hook("7", at(otherURL))}, row: Row{HookID: "7", URL: otherURL}, keep: "7", patch: true},
		{name: "our hook, but somebody gave it another URL", listed: []procore.Hook{hook("7", at(otherURL))}, row: Row{HookID: "7", URL: "https://old.acme.com"}, foreign: []procore.ID{"7"}},
		{name: "another hook with our old URL", listed: []procore.Hook{hook("8", at(otherURL))}, row: Row{HookID: "7", URL: otherURL}, foreign: []procore.ID{"8"}},
		{name: "our old URL and the new one", listed: []procore.Hook{hook("7", at(otherURL)), hook("9", nil)}, row: Row{HookID: "7", URL: otherURL}, keep: "9", remove: []procore.ID{"7"}},
		{name: "two of ours", listed: []procore.Hook{hook("9", nil), hook("7", nil), hook("8", nil)}, keep: "7", remove: []procore.ID{"8", "9"}},
		{name: "two of ours, the higher one known", listed: []procore.Hook{hook("7", nil), hook("9", nil)}, row: Row{HookID: "9", URL: ourURL}, keep: "9", remove: []procore.ID{"7"}},
		{name: "another namespace", listed: []procore.Hook{hook("7", func(h *procore.Hook) { h.Namespace = "other" })}, row: Row{HookID: "7", URL: ourURL}},
		{name: "a project's", listed: []procore.Hook{hook("7", func(h *procore.Hook) { h.ProjectID = 12 })}},
	}
	for _, tt := range tests {
		p := planFor(tt.listed, want, tt.row)
		var removed []procore.ID
		for _, h := range p.remove {
			removed = append(removed, h.ID)
		}
		if p.keep.ID != tt.keep || p.found != (tt.keep != "") || p.patch != tt.patch || !cmp.Equal(removed, tt.remove) || !cmp.Equal(p.foreign, tt.foreign) {
			t.Errorf("%s: got keep %s, patch %t, remove %v, foreign %v; want %s, %t, %v, %v", tt.name,
				p.keep.ID, p.patch, removed, p.foreign, tt.keep, tt.patch, tt.remove, tt.foreign)
		}
	}
}

func TestChangeTriggers(t *testing.T) {
	t.Parallel()
	trigger := func(id procore.ID, resource string, typ procore.EventType) procore.Trigger {
		return procore.Trigger{ID: id, Resource: resource, EventType: typ}
	}
	want := []procore.Trigger{trigger("", "RFIs", "create"), trigger("", "RFIs", "update")}
	tests := []struct {
		name  string
		have  []procore.Trigger
		other bool
		want  triggerChange
	}{
		{"none", nil, false, triggerChange{add: want}},
		{"all", []procore.Trigger{trigger("1", "RFIs", "update"), trigger("2", "RFIs", "create")}, false, triggerChange{}},
		{"one too few, one too many", []procore.Trigger{trigger("1", "RFIs", "update"), trigger("2", "RFIs", "delete")}, false,
			triggerChange{add: want[:1], remove: []procore.Trigger{trigger("2", "RFIs", "delete")}}},
		{"one twice", []procore.Trigger{trigger("1", "RFIs", "update"), trigger("2", "RFIs", "create"), trigger("3", "RFIs", "update")}, false,
			triggerChange{remove: []procore.Trigger{trigger("3", "RFIs", "update")}}},
		{"of another version", []procore.Trigger{trigger("1", "RFIs", "update")}, true,
			triggerChange{add: want, remove: []procore.Trigger{trigger("1", "RFIs", "update")}}},
	}
	for _, tt := range tests {
		got := changeTriggers(tt.have, want, tt.other)
		if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(triggerChange{})); diff != "" {
			t.Errorf("%s (-got +want):\n%s", tt.name, diff)
		}
	}
}
