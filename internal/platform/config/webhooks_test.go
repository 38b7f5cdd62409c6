package config

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	const triggers, space = "WEBHOOK_TRIGGERS", "WEBHOOK_NAMESPACE"
	trigger := func(resource string, types ...procore.EventType) (all []procore.Trigger) {
		for _, typ := range types {
			all = append(all, procore.Trigger{Resource: resource, EventType: typ})
		}
		return all
	}
	for name, tt := range map[string]struct {
		triggers, namespace string
		want                []procore.Trigger
		named               []string
	}{
		"off":                   {"", "", nil, nil},
		"off, hooks to delete":  {"", "acme", nil, nil},
		"off, with a namespace": {" ; ", "Not Looked At", nil, nil},
		"one":                   {"RFIs:create", "acme", trigger("RFIs", "create"), nil},
		"several": {" RFIs : create, update ,delete ; Direct Cost Line Items:update;", "acme-2",
			slices.Concat(trigger("RFIs", "create", "update", "delete"), trigger("Direct Cost Line Items", "update")), nil},
		"twice":               {"RFIs:create,create;RFIs:create,update", "acme", trigger("RFIs", "create", "update"), nil},
		"successor of fanout": {"Company Users:update", "acme", trigger("Company Users", "update"), nil},

		"no types":            {"RFIs", "acme", nil, []string{triggers}},
		"empty types":         {"RFIs:", "acme", nil, []string{triggers}},
		"an empty type":       {"RFIs:create,", "acme", nil, []string{triggers}},
		"unknown type":        {"RFIs:created", "acme", nil, []string{triggers}},
		"upper case":          {"RFIs:CREATE", "acme", nil, []string{triggers}},
		"all":                 {"RFIs:*", "acme", nil, []string{triggers}},
		"no resource":         {":create", "acme", nil, []string{triggers}},
		"commas for ;":        {"RFIs:create,Projects:update", "acme", nil, []string{triggers}},
		"long resource":       {strings.Repeat("x", 101) + ":create", "acme", nil, []string{triggers}},
		"ended by Procore":    {"Project Users:update", "acme", nil, []string{triggers}},
		"one of many wrong":   {"RFIs:create;Project Vendors:update", "acme", nil, []string{triggers}},
		"huge":                {strings.Repeat("x", 1<<16), "acme", nil, []string{triggers}},
		"no namespace":        {"RFIs:create", "", trigger("RFIs", "create"), []string{space}},
		"wrong namespace":     {"RFIs:create", "Acme", trigger("RFIs", "create"), []string{space}},
		"namespace_":          {"RFIs:create", "a_b", trigger("RFIs", "create"), []string{space}},
		"namespace with line": {"RFIs:create", "a\nb", trigger("RFIs", "create"), []string{space}},
		"long namespace":      {"RFIs:create", strings.Repeat("a", 65), trigger("RFIs", "create"), []string{space}},
	} {
		e := env(map[string]string{triggers: tt.triggers, space: tt.namespace})
		got := e.Webhooks(&url.URL{Scheme: "https", Host: "connect.example.com", Path: "/prod"})
		if diff := cmp.Diff(tt.want, got.Triggers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if want := "https://connect.example.com/prod/webhooks/procore"; got.URL != want {
			t.Errorf("%s: URL = %q, want %q", name, got.URL, want)
		}
		if tt.named == nil && got.Namespace != tt.namespace && isNamespace(tt.namespace) {
			t.Errorf("%s: namespace = %q, want %q", name, got.Namespace, tt.namespace)
		}
		if names := named(e.Err()); !cmp.Equal(names, tt.named) {
			t.Errorf("%s: error %v, want one of %v", name, e.Err(), tt.named)
		}
		if err := e.Err(); err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: the error has %d characters", name, len(err.Error()))
		}
	}
}

func TestPayloadVersion(t *testing.T) {
	t.Parallel()
	const name = "WEBHOOK_PAYLOAD_VERSION"
	for text, want := range map[string]string{"": "v2.0", " v2.0 ": "v2.0", "v3.0": "v3.0", "v4.0": "v4.0"} {
		e := env(map[string]string{name: text})
		if got := e.PayloadVersion(); got != want || e.Err() != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, e.Err(), want)
		}
	}
	for _, text := range []string{"v2", "v5.0", "4.0", "V3.0", "latest", strings.Repeat("v", 1<<16)} {
		e := env(map[string]string{name: text})
		e.PayloadVersion()
		if names := named(e.Err()); !cmp.Equal(names, []string{name}) || len(e.Err().Error()) > 200 {
			t.Errorf("%.20q: error %v", text, e.Err())
		}
	}
}
