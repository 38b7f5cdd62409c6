package procore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(r *http.Request, status int, h http.Header, body string) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

// failing returns a client whose server answers n times with status and header, then
// with 200. Waiting is tested in a bubble, where time jumps; a socket would stop it.
func failing(n, status int, header func() http.Header, sent *[]time.Time) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		*sent = append(*sent, time.Now())
		if len(*sent) <= n {
			return response(r, status, header(), `{}`), nil
		}
		return response(r, 200, nil, `{"id":1}`), nil
	})}
}

func noHeader() http.Header { return nil }

func TestRetry(t *testing.T) {
	t.Parallel()
	seconds := func(s string) func() http.Header {
		return func() http.Header { return http.Header{"Retry-After": {s}} }
	}
	tests := []struct {
		name     string
		status   int
		header   func() http.Header
		failures int
		deadline time.Duration
		sent     int
		least    time.Duration // between first and last
		most     time.Duration
		ok       bool
	}{
		{name: "408", status: 408, failures: 1, sent: 2, least: 250 * time.Millisecond, most: time.Second, ok: true},
		{name: "500 twice", status: 500, failures: 2, sent: 3, least: 750 * time.Millisecond, most: 3 * time.Second, ok: true},
		{name: "502 for ever", status: 502, failures: 9, sent: 3, least: 750 * time.Millisecond, most: 3 * time.Second},
		{name: "503 with Retry-After", status: 503, header: seconds("5"), failures: 1, sent: 2, least: 5 * time.Second, most: 6 * time.Second, ok: true},
		{name: "429 with Reset", status: 429, failures: 1, sent: 2, least: 19 * time.Second, most: 21 * time.Second, ok: true,
			header: func() http.Header {
				return http.Header{"X-Rate-Limit-Reset": {strconv.FormatInt(time.Now().Add(20*time.Second).Unix(), 10)}}
			}},
		{name: "429 with a date", status: 429, failures: 1, sent: 2, least: 9 * time.Second, most: 11 * time.Second, ok: true,
			header: func() http.Header {
				return http.Header{"Retry-After": {time.Now().Add(10 * time.Second).UTC().Format(http.TimeFormat)}}
			}},
		{name: "longer than a minute", status: 429, header: seconds("3600"), failures: 1, sent: 1},
		{name: "absurd", status: 503, header: seconds("9999999999999"), failures: 1, sent: 1},
		{name: "beyond 64 bits", status: 503, header: seconds("99999999999999999999"), failures: 1, sent: 1},
		{name: "below 64 bits", status: 503, header: seconds("-99999999999999999999"), failures: 1, sent: 2, least: 250 * time.Millisecond, most: time.Second, ok: true},
		{name: "beyond the deadline", status: 503, header: seconds("5"), failures: 1, deadline: 4 * time.Second, sent: 1},
		{name: "within the deadline", status: 503, header: seconds("5"), failures: 1, deadline: 10 * time.Second, sent: 2, least: 5 * time.Second, most: 6 * time.Second, ok: true},
		{name: "401", status: 401, failures: 1, sent: 1},
		{name: "403", status: 403, failures: 1, sent: 1},
		{name: "404", status: 404, failures: 1, sent: 1},
		{name: "422", status: 422, failures: 1, sent: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				if tt.header == nil {
					tt.header = noHeader
				}
				var sent []time.Time
				began := time.Now()
				_, err := NewUserClient(Sandbox(), failing(tt.failures, tt.status, tt.header, &sent)).Me(ctx)
				if (err == nil) != tt.ok || len(sent) != tt.sent {
					t.Fatalf("got %v after %d calls, want ok=%t after %d", err, len(sent), tt.ok, tt.sent)
				}
				took := time.Since(began)
				if took < tt.least || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.least, tt.most)
				}
				if e, ok := errors.AsType[*Error](err); !tt.ok && (!ok || e.Status != tt.status) {
					t.Errorf("got error %v, want Procore's answer", err)
				}
			})
		})
	}
}

// methods returns one call for each method.
func methods() map[string]func(context.Context, *CompanyClient) error {
	return map[string]func(context.Context, *CompanyClient) error{
		"GET": func(ctx context.Context, c *CompanyClient) error {
			_, err := Get[any](ctx, c, "/rest/x", nil)
			return err
		},
		"PUT": func(ctx context.Context, c *CompanyClient) error {
			_, err := Put[any](ctx, c, "/rest/x", nil, 1)
			return err
		},
		"DELETE": func(ctx context.Context, c *CompanyClient) error { return Delete(ctx, c, "/rest/x", nil) },
		"POST": func(ctx context.Context, c *CompanyClient) error {
			_, err := Post[any](ctx, c, "/rest/x", nil, 1)
			return err
		},
		"PATCH": func(ctx context.Context, c *CompanyClient) error {
			_, err := Patch[any](ctx, c, "/rest/x", nil, 1)
			return err
		},
	}
}

// Idempotent calls are repeated. Of the rest only those are that Procore refused to
// carry out.
func TestMethodsAfterAnAnswer(t *testing.T) {
	t.Parallel()
	for method, do := range methods() {
		for status, want := range map[int]bool{
			503: method != "POST" && method != "PATCH", 429: true, 404: false, 422: false, 501: false,
		} {
			t.Run(fmt.Sprint(method, " ", status), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var sent []time.Time
					err := do(t.Context(), NewCompanyClient(Sandbox(), failing(1, status, noHeader, &sent), 1))
					if again := len(sent) == 2; again != want || (err == nil) != want {
						t.Errorf("got %v after %d calls, want repeated %t", err, len(sent), want)
					}
				})
			})
		}
	}
}

// A repeated DELETE that finds nothing succeeds if an earlier attempt may have worked.
func TestRepeatedDelete(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before []int // statuses before the 404; 0: no connection was made
		ok     bool
	}{
		"the answer was lost":     {[]int{502}, true},
		"lost, then refused":      {[]int{502, 429}, true},
		"refused":                 {[]int{429}, false},
		"no connection":           {[]int{0}, false},
		"no connection, then 429": {[]int{0, 429}, false},
		"no connection, then 502": {[]int{0, 502}, true},
		"never there":             {nil, false},
	}
	for name, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			next := 0
			n := &network{
				dial: func(int32) error {
					if next < len(tt.before) && tt.before[next] == 0 {
						next++
						return errors.New("refused")
					}
					return nil
				},
				serve: func(_ int32, c net.Conn) {
					status := http.StatusNotFound
					if next < len(tt.before) {
						status = tt.before[next]
						next++
					}
					responds(status, `{}`, "Connection: close")(c)
					c.Close()
				},
			}
			err := Delete(t.Context(), NewCompanyClient(plain(), n.client(t), 1), "/rest/x", nil)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: got %v, want success %t", name, err, tt.ok)
			}
		})
	}
}

// The token source in the Transport decides itself what it repeats.
func TestTransportErrorsAreNotRetried(t *testing.T) {
	t.Parallel()
	dead := errors.New("reauthorize")
	sent := 0
	hc := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { sent++; return nil, dead })}
	if _, err := NewUserClient(Sandbox(), hc).Me(t.Context()); !errors.Is(err, dead) || sent != 1 {
		t.Errorf("got %v after %d calls, want the token source's error after 1", err, sent)
	}
}

func TestCancelEndsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var sent []time.Time
		began := time.Now()
		header := func() http.Header { return http.Header{"Retry-After": {"30"}} }
		_, err := NewUserClient(Sandbox(), failing(1, 503, header, &sent)).Me(ctx)
		if took := time.Since(began); took != time.Second || !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v after %v, want the answer after 1s", err, took)
		}
	})
}

func TestWithAttempts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, 0, 1} {
		var sent []time.Time
		_, err := NewUserClient(Sandbox(), failing(1, 503, noHeader, &sent), WithAttempts(n)).Me(t.Context())
		if err == nil || len(sent) != 1 {
			t.Errorf("%d attempts: got %v after %d calls", n, err, len(sent))
		}
	}
}
