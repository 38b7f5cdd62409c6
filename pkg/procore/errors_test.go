package procore

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sentinels returns the sentinel errors by name, for a readable difference.
func sentinels() map[string]error {
	return map[string]error{
		"unauthorized": ErrUnauthorized, "not connected": ErrNotConnected, "user installs off": ErrUserInstallsOff,
		"forbidden": ErrForbidden, "not found": ErrNotFound, "invalid": ErrInvalid,
		"missing header": ErrMissingCompanyHeader, "rate limited": ErrRateLimited, "unavailable": ErrUnavailable, "not installed": errNotInstalled,
	}
}

// One row for each of the answers that Procore documents.
func TestAnswersToBranchOn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		status  int
		body    string
		is      []string
		message string
	}{
		{"expired token", 401, `{"error":"invalid_token","error_description":"The access token expired"}`, []string{"unauthorized"}, "invalid_token"},
		{"disconnected", 403, `{"errors":["App is not connected to this company."]}`, []string{"not connected", "forbidden"}, "App is not connected to this company."},
		{"disconnected, as message", 403, `{"message":"App is not connected to this company"}`, []string{"not connected", "forbidden"}, "App is not connected to this company"},
		{"user installs off", 403, `{"errors":["The company does not allow user installs."]}`, []string{"user installs off", "not installed", "forbidden"}, "The company does not allow user installs."},
		{"not installed", 403, `{"message":"The app is not installed in this company"}`, []string{"not installed", "forbidden"}, "The app is not installed in this company"},
		{"no permission", 403, `{"errors":"You do not have permission"}`, []string{"forbidden"}, "You do not have permission"},
		{"not found", 404, `{"error":"Record not found"}`, []string{"not found"}, "Record not found"},
		{"timeout", 408, ``, []string{"unavailable"}, "Request Timeout"},
		{"no header", 400, `{"message":"Missing Procore-Company-Id header!"}`, []string{"invalid", "missing header"}, "Missing Procore-Company-Id header!"},
		{"not acceptable", 406, `{}`, []string{"invalid"}, "Not Acceptable"},
		{"conflict", 409, `[]`, []string{"invalid"}, "Conflict"},
		{"fields", 422, `{"errors":{"subject":["can't be blank"],"assignees":["required","too few"]}}`, []string{"invalid"}, "assignees: required; too few; subject: can't be blank"},
		{"v2", 422, `{"error":{"code":"E1","message":"Name is taken","details":[{"field":"name","message":"has been taken"},{"x":1}]}}`, []string{"invalid"}, "Name is taken: name: has been taken"},
		{"limit", 429, `{"message":"You have surpassed the max number of requests"}`, []string{"rate limited"}, "You have surpassed the max number of requests"},
		{"crash", 500, `{"status":"oops"}`, []string{"unavailable"}, "Internal Server Error"},
		{"byte order mark", 403, "\xef\xbb\xbf" + `{"message":"no"}`, []string{"forbidden"}, "no"},
		{"gateway", 502, ``, []string{"unavailable"}, "Bad Gateway"},
		{"load", 503, `null`, []string{"unavailable"}, "Service Unavailable"},
		{"teapot", 418, `{"message":7,"errors":[],"error":"  "}`, nil, "I'm a teapot"},
		{"a text that only sounds like it", 500, `{"message":"App is not connected to this company; user installs"}`, []string{"unavailable"}, "App is not connected to this company; user installs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/me": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "req-1")
				answers(tt.status, tt.body)(w, r)
			}})
			_, err := f.company().Me(t.Context())
			got, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an Error", err)
			}
			want := &Error{Status: tt.status, Message: tt.message, Method: "GET", Path: "/rest/v1.0/me", CompanyID: testCompany, RequestID: "req-1"}
			if tt.name == "v2" {
				want.Code = "E1"
			}
			if d := cmp.Diff(got, want); d != "" {
				t.Errorf("(-got +want):\n%s", d)
			}
			for name, s := range sentinels() {
				if is, want := errors.Is(err, s), strings.Contains("|"+strings.Join(tt.is, "|")+"|", "|"+name+"|"); is != want {
					t.Errorf("errors.Is %q: got %t, want %t", name, is, want)
				}
			}
			if _, ok := errors.AsType[*RateLimitError](err); ok != (tt.status == 429) {
				t.Errorf("RateLimitError: got %t", ok)
			}
		})
	}
}

func TestRateLimitError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reset := time.Now().Add(90 * time.Second).Truncate(time.Second)
		tests := []struct {
			name   string
			header http.Header
			wait   time.Duration
			reset  bool
		}{
			{"nothing", http.Header{}, 0, false},
			{"Retry-After", http.Header{"Retry-After": {"7"}}, 7 * time.Second, false},
			{"Reset", http.Header{"X-Rate-Limit-Reset": {itoa(reset.Unix())}}, time.Until(reset), true},
			{"both, Reset later", http.Header{"Retry-After": {"7"}, "X-Rate-Limit-Reset": {itoa(reset.Unix())}}, time.Until(reset), true},
			{"both, Retry-After later", http.Header{"Retry-After": {"700"}, "X-Rate-Limit-Reset": {itoa(reset.Unix())}}, 700 * time.Second, true},
			{"garbage", http.Header{"Retry-After": {"soon"}, "X-Rate-Limit-Reset": {"later"}}, 0, false},
			{"negative", http.Header{"Retry-After": {"-5"}, "X-Rate-Limit-Reset": {"-5"}}, 0, false},
			{"long past", http.Header{"X-Rate-Limit-Reset": {"1"}}, 0, true},
		}
		for _, tt := range tests {
			tt.header.Set("X-Rate-Limit-Limit", "25")
			err := newError(response(nil, 429, tt.header, `{}`), call{method: "GET", path: "/rest/x"}, nil, time.Now())
			got, ok := errors.AsType[*RateLimitError](err)
			if !ok {
				t.Fatalf("%s: got %v", tt.name, err)
			}
			if got.Answer.RetryAfter != tt.wait || got.Limit != 25 || got.Reset.IsZero() == tt.reset {
				t.Errorf("%s: got wait %v, limit %d, reset %v, want wait %v", tt.name, got.Answer.RetryAfter, got.Limit, got.Reset, tt.wait)
			}
		}
	})
}

func itoa(n int64) string { return decimal(n) }

func TestErrorTextIsBoundedAndOneLine(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-Request-Id": {strings.Repeat("r", 5000)}}
	body := `{"message":"a\nlevel=ERROR msg=forged\u001b[31m ` + strings.Repeat("é", 5000) + `"}`
	text := newError(response(nil, 500, h, body), call{method: "GET", path: "/rest/x"}, nil, time.Now()).Error()
	if len(text) > 800 || strings.ContainsAny(text, "\n\r\x1b") || strings.ToValidUTF8(text, "?") != text {
		t.Errorf("got %d bytes: %q", len(text), text)
	}
	huge := `{"message":"` + strings.Repeat("a", 2*maxErrorBody) + `"}`
	if got := newError(response(nil, 500, nil, huge), call{}, nil, time.Now()); !errors.Is(got, ErrUnavailable) {
		t.Errorf("got %v", got)
	}
	deep := `{"errors":` + strings.Repeat("[", 5000) + `"x"` + strings.Repeat("]", 5000) + `}`
	if got, _ := errors.AsType[*Error](newError(response(nil, 422, nil, deep), call{}, nil, time.Now())); got.Message != "Unprocessable Entity" {
		t.Errorf("got %q", got.Message)
	}
}

func FuzzNewError(f *testing.F) {
	f.Add(403, []byte(`{"errors":["App is not connected to this company."]}`), "7")
	f.Add(422, []byte(`{"errors":{"subject":["can't be blank"]}}`), "Wed, 21 Oct 2026 07:28:00 GMT")
	f.Add(429, []byte(`{"error":{"code":"E1","message":"x","details":[]}}`), "-1")
	f.Fuzz(func(t *testing.T, status int, body []byte, header string) {
		h := http.Header{"Retry-After": {header}, "X-Rate-Limit-Reset": {header}, "X-Rate-Limit-Limit": {header}, "X-Request-Id": {header}}
		err := newError(response(nil, status, h, string(body)), call{method: "GET", path: "/rest/x"}, nil, time.Now())
		e, ok := errors.AsType[*Error](err)
		if !ok || e.RetryAfter < 0 || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
			t.Errorf("got %+v: %q", e, err)
		}
	})
}
