package procore

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/secrettest"
)

// R5: no exported type that holds a secret prints it. The test is not parallel: fmt reads
// http.DefaultTransport, to which httptest writes whenever another test's server closes.
func TestNothingPrintsASecret(t *testing.T) {
	const access, refresh, header = "fake-access-1", "fake-refresh-1", "Bearer k1.5678.0.a-mac"
	pair := Token{AccessToken: NewSecret(access), RefreshToken: NewSecret(refresh), Expiry: time.Unix(0, 0)}
	p := listen(t, responds(http.StatusOK, testPair))
	app := p.oauth()
	user := app.Environment.Bearer(pair.AccessToken, nil)
	conn, err := app.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	headers := Headers{"Authorization": NewSecret(header)}

	secrettest.NotPrinted(t, pair, access, refresh)
	secrettest.NotPrinted(t, *app, testSecret)
	secrettest.NotPrinted(t, user, access)
	secrettest.NotPrinted(t, *user, access)
	secrettest.NotPrinted(t, user.Transport, access)
	secrettest.NotPrinted(t, *user.Transport.(*bearer), access)
	secrettest.NotPrinted(t, NewUserClient(app.Environment, user), access)
	secrettest.NotPrinted(t, *NewCompanyClient(app.Environment, user, 5678), access)
	secrettest.NotPrinted(t, conn, testSecret)
	secrettest.NotPrinted(t, headers, header)
	secrettest.NotPrinted(t, HookSpec{Headers: headers}, header)
	for _, v := range []any{pair, app, user.Transport, headers, HookSpec{Headers: headers}} {
		secrettest.NotReachable(t, v, access, refresh, testSecret, header)
	}
}

// A token leaves a process sealed or not at all; of headers, a log has the names.
func TestSecretsInJSON(t *testing.T) {
	t.Parallel()
	if b, err := json.Marshal(Token{AccessToken: NewSecret("fake-access-1")}); err == nil {
		t.Errorf("a token went into JSON: %s", b)
	}
	got, err := json.Marshal(Headers{"X-Other": NewSecret("b"), "Authorization": NewSecret("a")})
	if want := `["Authorization","X-Other"]`; err != nil || string(got) != want {
		t.Errorf("headers = %s, %v, want %s", got, err, want)
	}
}
