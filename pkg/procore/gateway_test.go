package procore

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// A gateway answers instead of Procore once. A GET is made again, a POST is not.
func TestGatewayAnswersOnce(t *testing.T) {
	t.Parallel()
	html := http.Header{"Content-Type": {"text/html"}}
	tests := map[string]struct {
		status int
		header http.Header
		body   string
		post   bool // succeeds, because Procore may answer like that
	}{
		"504":                      {status: 504, body: "<html>504</html>"},
		"504, empty":               {status: 504},
		"520":                      {status: 520},
		"521":                      {status: 521},
		"524":                      {status: 524},
		"525":                      {status: 525},
		"530":                      {status: 530, body: "error code: 1016"},
		"200, HTML":                {status: 200, header: html, body: "<html>Down for maintenance</html>"},
		"200, HTML without a type": {status: 200, body: "\n <!DOCTYPE html><html>Down</html>"},
		"200, HTML with a mark":    {status: 200, header: html, body: "\xef\xbb\xbf<html>Down</html>"},
		"200, text":                {status: 200, body: "Down for maintenance"},
		"200, empty":               {status: 200, post: true},
		"200, blank":               {status: 200, body: "\r\n"},
		"204":                      {status: 204, post: true},
	}
	for name, tt := range tests {
		for method, want := range map[string]int{"GET": 2, "PUT": 2, "POST": 1} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					rt := roundTripper(func(r *http.Request) (*http.Response, error) {
						if calls++; calls == 1 {
							return response(r, tt.status, tt.header, tt.body), nil
						}
						return response(r, 200, nil, `{"id":1}`), nil
					})
					c := NewCompanyClient(Sandbox(), &http.Client{Transport: rt}, 1)
					err := methods()[method](t.Context(), c)
					succeeds := method != "POST" || tt.post
					if method == "PUT" && (tt.post || tt.body == "\r\n") {
						want, succeeds = 1, tt.post
					}
					if calls != want || (err == nil) != succeeds {
						t.Errorf("%d calls, %v, want %d, success %t", calls, err, want, succeeds)
					}
				})
			})
		}
	}
}

// What a gateway says with the status of a refusal is not Procore's word.
func TestGatewayRefuses(t *testing.T) {
	t.Parallel()
	bearer := http.Header{"Www-Authenticate": {`Bearer realm="Doorkeeper", error="invalid_token"`}}
	tests := map[string]struct {
		status int
		header http.Header
		body   string
		want   error
	}{
		"401, JSON":               {401, nil, `{"message":"no"}`, ErrUnauthorized},
		"401, empty":              {401, nil, "", ErrUnauthorized},
		"401, cut JSON":           {401, nil, `{"message":"n`, ErrUnauthorized},
		"401, a text":             {401, nil, `"no"`, ErrUnauthorized},
		"401, HTML":               {401, nil, "<html>Sign in to the proxy</html>", ErrUnavailable},
		"401, plain":              {401, nil, "Unauthorized", ErrUnavailable},
		"401, plain, a challenge": {401, bearer, "HTTP Token: Access denied.", ErrUnauthorized},
		"403, JSON":               {403, http.Header{"Content-Type": {"text/html"}}, `{"message":"App is not connected to this company"}`, ErrNotConnected},
		"403, empty":              {403, nil, "", ErrForbidden},
		"403, HTML":               {403, nil, "<html>App is not connected to this company</html>", ErrUnavailable},
		"403, Cloudflare":         {403, nil, "error code: 1020", ErrUnavailable},
		"404, HTML":               {404, nil, "<html>", ErrNotFound},
		"422, HTML":               {422, nil, "<html>", ErrInvalid},
		"429, HTML":               {429, nil, "<html>", ErrRateLimited},
		"502, HTML":               {502, nil, "<html>", ErrUnavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := roundTripper(func(r *http.Request) (*http.Response, error) { return response(r, tt.status, tt.header, tt.body), nil })
			_, err := NewCompanyClient(Sandbox(), &http.Client{Transport: rt}, 1, WithAttempts(1)).Me(t.Context())
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if refused := errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrForbidden); errors.Is(tt.want, ErrUnavailable) && refused {
				t.Errorf("%v is Procore's refusal", err)
			}
		})
	}
}

// Only an explicit false is inactive. A company without an id is dropped, and one that
// is listed twice, as when pages shift, counts once.
func TestOddCompanies(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/companies": answers(200, `[{"id":5678,"name":"A Co"},{"id":5679,"name":"B Co","is_active":null},
		{"id":1,"is_active":false},{"id":2,"is_active":"maybe"},{"id":"3","is_active":"false"},{"id":5678},{"id":0},{"id":-4},{"name":"none"},{"id":"x"},{"id":null},null,7]`)})
	got := map[int64]bool{}
	for c, err := range NewUserClient(f.env(), f.Client()).Companies(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got[c.ID] = c.Inactive()
	}
	if d := cmp.Diff(got, map[int64]bool{5678: false, 5679: false, 1: true, 2: false, 3: true}); d != "" {
		t.Errorf("inactive (-got +want):\n%s", d)
	}
}
