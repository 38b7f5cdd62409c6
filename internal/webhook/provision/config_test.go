package provision

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/config"
	"procore-connect/pkg/procore"
)

func TestReadConfig(t *testing.T) {
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
		"another reason":      {"Document Upload:Completed", "acme", trigger("Document Upload", "Completed"), nil},
		"no word":             {"RFIs:<b>", "acme", nil, []string{triggers}},
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
		env := variables(map[string]string{triggers: tt.triggers, space: tt.namespace})
		c := ReadConfig(env, "https://connect.acme.com")
		namespace, got := c.Namespace, c.Triggers
		if diff := cmp.Diff(tt.want, got); diff != "" || c.URL != "https://connect.acme.com/webhooks/procore" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if tt.named == nil && namespace != tt.namespace && isNamespace(tt.namespace) {
			t.Errorf("%s: namespace = %q, want %q", name, namespace, tt.namespace)
		}
		if !names(env.Err(), tt.named...) {
			t.Errorf("%s: error %v, want one of %v", name, env.Err(), tt.named)
		}
		if err := env.Err(); err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: the error has %d characters", name, len(err.Error()))
		}
	}
}

func TestReadPayloadVersion(t *testing.T) {
	t.Parallel()
	const name = "WEBHOOK_PAYLOAD_VERSION"
	for text, want := range map[string]string{"": "", " v2.0 ": "v2.0", "v3.0": "v3.0", "v4.0": "v4.0"} {
		env := variables(map[string]string{name: text})
		if got := ReadConfig(env, "").PayloadVersion; got != want || env.Err() != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, env.Err(), want)
		}
	}
	for _, text := range []string{"v2", "v5.0", "4.0", "V3.0", "latest", strings.Repeat("v", 1<<16)} {
		env := variables(map[string]string{name: text})
		ReadConfig(env, "")
		if !names(env.Err(), name) || len(env.Err().Error()) > 200 {
			t.Errorf("%.20q: error %v", text, env.Err())
		}
	}
}

// Reasons beyond three are for v4.0; without a configured version the company decides.
func TestReasonsOfVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"": true, "v4.0": true, "v3.0": false, "v2.0": false} {
		env := variables(map[string]string{"WEBHOOK_PAYLOAD_VERSION": version, "WEBHOOK_NAMESPACE": "our-app",
			"WEBHOOK_TRIGGERS": "Document Upload:Completed;Document Upload:Created"})
		c := ReadConfig(env, "")
		if (env.Err() == nil) != want || len(c.Triggers) != 2 || c.Triggers[0].EventType != "Completed" {
			t.Errorf("%q: got %v, %v", version, c.Triggers, env.Err())
		}
	}
}

func variables(values map[string]string) *config.Env {
	return config.New(func(name string) string { return values[name] })
}

// names reports whether the error names these variables, in order.
func names(err error, want ...string) bool {
	var got []string
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			rest, _ := strings.CutPrefix(line, "environment variable ")
			name, _, _ := strings.Cut(rest, ":")
			got = append(got, name)
		}
	}
	return slices.Equal(got, want)
}
