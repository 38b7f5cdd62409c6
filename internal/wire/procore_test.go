package wire

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/config"
	"procore-connect/pkg/procore"
)

// base returns a Base that reads variables from a map.
func base(values map[string]string) *Base {
	return &Base{Env: config.New(func(name string) string { return values[name] })}
}

// named returns the variables that the error names, in order.
func named(err error) []string {
	var names []string
	if err == nil {
		return nil
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		rest, _ := strings.CutPrefix(line, "environment variable ")
		name, _, _ := strings.Cut(rest, ":")
		names = append(names, name)
	}
	return names
}

// A cold start fails once, with every variable named.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	b := base(map[string]string{"PUBLIC_URL": "http://app.example", "ALLOWED_COMPANIES": "Acme", "WEBHOOK_TRIGGERS": "RFIs:create"})
	b.Env.Require("INBOX_TABLE")
	b.Environment()
	b.Env.AWS()
	b.Webhooks()
	b.Env.PublicURL()
	b.Env.AllowedCompanies()
	want := []string{"INBOX_TABLE", "PROCORE_ENVIRONMENT", "AWS_REGION", "WEBHOOK_NAMESPACE", "PUBLIC_URL", "ALLOWED_COMPANIES"}
	if diff := cmp.Diff(want, named(b.Env.Err())); diff != "" {
		t.Errorf("named (-want +got):\n%s\n%v", diff, b.Env.Err())
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	const password = "fake-password"
	custom := func(login, api string) map[string]string {
		return map[string]string{"PROCORE_ENVIRONMENT": "custom", "PROCORE_LOGIN_URL": login, "PROCORE_API_URL": api}
	}
	sam := custom("http://host.docker.internal:4000", "http://host.docker.internal:4000")
	sam["AWS_SAM_LOCAL"] = "true"
	for name, tt := range map[string]struct {
		values map[string]string
		login  string   // of the environment
		named  []string // in the error
	}{
		"production":       {map[string]string{"PROCORE_ENVIRONMENT": "production"}, "https://login.procore.com", nil},
		"blanks around":    {map[string]string{"PROCORE_ENVIRONMENT": " sandbox "}, "https://login-sandbox.procore.com", nil},
		"missing":          {nil, "", []string{"PROCORE_ENVIRONMENT"}},
		"unknown":          {map[string]string{"PROCORE_ENVIRONMENT": "prod"}, "", []string{"PROCORE_ENVIRONMENT"}},
		"custom":           {custom("http://127.0.0.1:4000", "https://api.example"), "http://127.0.0.1:4000", nil},
		"custom, no login": {custom("", "https://api.example"), "", []string{"PROCORE_LOGIN_URL"}},
		"custom, no API":   {custom("https://login.example", ""), "", []string{"PROCORE_API_URL"}},
		"custom, no URLs":  {custom("", ""), "", []string{"PROCORE_LOGIN_URL", "PROCORE_API_URL"}},
		"custom, http":     {custom("http://login.example", "https://api.example"), "", []string{"PROCORE_LOGIN_URL"}},
		"custom, password": {custom("https://login.example", "https://u:"+password+"@api.example"), "", []string{"PROCORE_API_URL"}},
		"docker":           {custom("https://login.example", "http://host.docker.internal:4000"), "", []string{"PROCORE_API_URL"}},
		"docker under sam": {sam, "http://host.docker.internal:4000", nil},
		"URL that would be ignored": {map[string]string{"PROCORE_ENVIRONMENT": "production", "PROCORE_API_URL": "https://api.example"},
			"", []string{"PROCORE_ENVIRONMENT"}},
	} {
		b := base(tt.values)
		got := b.Environment()
		if got.LoginURL != tt.login || !cmp.Equal(named(b.Env.Err()), tt.named) {
			t.Errorf("%s: %q, %v, want %q and an error of %v", name, got.LoginURL, b.Env.Err(), tt.login, tt.named)
		}
		if err := b.Env.Err(); err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%s: the password shows: %v", name, err)
		}
	}
}

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
		b := base(map[string]string{triggers: tt.triggers, space: tt.namespace})
		namespace, got := b.Webhooks()
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if tt.named == nil && namespace != tt.namespace && isNamespace(tt.namespace) {
			t.Errorf("%s: namespace = %q, want %q", name, namespace, tt.namespace)
		}
		if names := named(b.Env.Err()); !cmp.Equal(names, tt.named) {
			t.Errorf("%s: error %v, want one of %v", name, b.Env.Err(), tt.named)
		}
		if err := b.Env.Err(); err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: the error has %d characters", name, len(err.Error()))
		}
	}
}

func TestPayloadVersion(t *testing.T) {
	t.Parallel()
	const name = "WEBHOOK_PAYLOAD_VERSION"
	for text, want := range map[string]string{"": "", " v2.0 ": "v2.0", "v3.0": "v3.0", "v4.0": "v4.0"} {
		b := base(map[string]string{name: text})
		if got := b.PayloadVersion(); got != want || b.Env.Err() != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, b.Env.Err(), want)
		}
	}
	for _, text := range []string{"v2", "v5.0", "4.0", "V3.0", "latest", strings.Repeat("v", 1<<16)} {
		b := base(map[string]string{name: text})
		b.PayloadVersion()
		if names := named(b.Env.Err()); !cmp.Equal(names, []string{name}) || len(b.Env.Err().Error()) > 200 {
			t.Errorf("%.20q: error %v", text, b.Env.Err())
		}
	}
}
