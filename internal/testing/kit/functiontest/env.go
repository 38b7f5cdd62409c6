package functiontest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/wire"
)

var named = regexp.MustCompile(`environment variable ([A-Z_]+): is missing`)

// Requires checks that a cold start without any variable fails with one error that names
// exactly these: no function asks for a variable that it does not need.
func Requires[F any](t *testing.T, build func(*wire.Base) (F, error), names ...string) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR":
		default:
			t.Setenv(name, "")
		}
	}
	base, err := wire.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = build(base); err == nil {
		t.Fatal("the function starts without configuration")
	}
	var got []string
	for _, match := range named.FindAllStringSubmatch(err.Error(), -1) {
		got = append(got, match[1])
	}
	slices.Sort(got)
	slices.Sort(names)
	if diff := cmp.Diff(slices.Compact(got), names); diff != "" {
		t.Errorf("variables that are missing (-got +want):\n%s", diff)
	}
}

// Base returns the base of one sandbox, whose variables, services and clock are this world's.
func (w *World) Base() *wire.Base {
	variables := map[string]string{
		"PROCORE_ENVIRONMENT": "custom", "PROCORE_LOGIN_URL": w.Environment.LoginURL, "PROCORE_API_URL": w.Environment.APIURL,
		"AWS_ENDPOINT_URL_DYNAMODB": *w.DB.Options().BaseEndpoint, "AWS_ENDPOINT_URL_SECRETS_MANAGER": *w.endpoint, "AWS_ENDPOINT_URL_SQS": *w.endpoint,
		"APP_SECRET_ID": AppSecret, "KEYS_SECRET_ID": KeysSecret, "WEBHOOK_SECRET_ID": WebhookSecret,
		"GRANTS_TABLE": w.Tables.Grants, "SPENDS_TABLE": w.Tables.Spends, "CONNECTIONS_TABLE": w.Tables.Connections,
		"SESSIONS_TABLE": w.Tables.Sessions, "INBOX_TABLE": w.Tables.Inbox, "RESCUE_QUEUE_URL": w.Rescue().URL,
		"PUBLIC_URL": "http://127.0.0.1:3000", "ALLOWED_COMPANIES": "*",
	}
	b := wire.From(config.New(func(name string) string { return variables[name] }), w.aws(), w.Log.Logger)
	b.Clock = w.Clock.Seam()
	return b
}
