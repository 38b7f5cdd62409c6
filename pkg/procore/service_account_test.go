package procore

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/pkg/procoretest"
)

// A dmsa is the service account of the fake's app in one company, with its own clock and
// a count of the requested tokens.
type dmsa struct {
	*ServiceAccount
	*procoretest.Server
	now    time.Time
	tokens atomic.Int32
}

func newDMSA(t *testing.T, patch procoretest.CompanyPatch) *dmsa {
	t.Helper()
	d := &dmsa{Server: procoretest.New(procoretest.Options{}), now: time.Now()}
	t.Cleanup(d.Server.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			d.tokens.Add(1)
		}
		d.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	d.URL = srv.URL
	yes := true
	patch.ServiceAccount = &yes
	if err := d.UpdateCompany(procoretest.MyConstruction, patch); err != nil {
		t.Fatal(err)
	}
	app := app(d.Server)
	app.Clock.Time = func() time.Time { return d.now }
	d.ServiceAccount = NewServiceAccount(app, nil, WithAttempts(1))
	return d
}

func (d *dmsa) company() *CompanyClient { return d.Company(procoretest.MyConstruction) }

func installed() procoretest.CompanyPatch {
	yes := true
	return procoretest.CompanyPatch{Installed: &yes}
}

// One token serves all companies, and every call names its company: Procore requires
// that of a service account on /me and /companies too.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	d, ctx := newDMSA(t, installed()), t.Context()
	if _, err := d.company().Me(ctx); err != nil {
		t.Error(err)
	}
	if all, err := Collect(d.company().Companies(ctx)); err != nil || len(all) != 1 {
		t.Errorf("got %v, %v, want one company", all, err)
	}
	if _, err := Collect(d.Company(procoretest.HarborHill).Projects(ctx)); !errors.Is(err, ErrNotFound) {
		t.Errorf("a company without the account: got %v", err)
	}
	want := []int64{procoretest.MyConstruction, procoretest.MyConstruction, procoretest.HarborHill}
	for i, call := range d.State().Calls {
		if call.CompanyID != want[i] {
			t.Errorf("%s named company %d, want %d", call.Path, call.CompanyID, want[i])
		}
	}
	if n := d.tokens.Load(); n != 1 {
		t.Errorf("asked for %d tokens, want 1", n)
	}
}

func TestServiceAccountRenewsItsToken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		local, procore time.Duration // how far the clocks advance
		tokens         int32
		calls          int
		refused        bool
	}{
		"long before the expiry":       {80 * time.Minute, 80 * time.Minute, 1, 2, false},
		"a minute before the expiry":   {89*time.Minute + time.Second, 0, 2, 2, false},
		"expired early, a 401":         {10 * time.Minute, 2 * time.Hour, 2, 3, false},
		"expired early, just issued":   {time.Second, 2 * time.Hour, 1, 2, true}, // then the token is not the reason
		"both clocks after the expiry": {2 * time.Hour, 2 * time.Hour, 2, 2, false},
		"the local clock goes wrong":   {-time.Hour, 0, 1, 2, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDMSA(t, installed())
			if _, err := d.company().Me(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.now = d.now.Add(tt.local)
			d.Advance(tt.procore)
			// The body is sent again too.
			_, err := Post[any](t.Context(), d.company(), "/rest/v1.0/companies/5678/vendors", nil, map[string]any{"vendor": map[string]string{"name": "Acme"}})
			if errors.Is(err, ErrUnauthorized) != tt.refused || (err != nil) != tt.refused {
				t.Errorf("got %v", err)
			}
			if n := d.tokens.Load(); n != tt.tokens || len(d.State().Calls) != tt.calls {
				t.Errorf("got %d tokens and %d calls, want %d and %d", n, len(d.State().Calls), tt.tokens, tt.calls)
			}
		})
	}
}

// The token goes to the API and nowhere else.
func TestServiceAccountKeepsItsToken(t *testing.T) {
	t.Parallel()
	d := newDMSA(t, installed())
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called a foreign host") }))
	t.Cleanup(foreign.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, foreign.URL+"/rest/v1.0/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := (&http.Client{Transport: d.ServiceAccount}).Do(r); err == nil {
		resp.Body.Close()
		t.Error("no error")
	}
	if n := d.tokens.Load(); n != 0 {
		t.Errorf("asked for %d tokens", n)
	}
}

// A company without the app may answer 401. No token helps, so none is requested.
func TestServiceAccountNotInstalled(t *testing.T) {
	t.Parallel()
	yes := true
	d := newDMSA(t, procoretest.CompanyPatch{UnauthorizedUntilInstalled: &yes})
	for range 3 {
		if _, err := d.company().Me(t.Context()); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("got %v, want ErrUnauthorized", err)
		}
	}
	if n := d.tokens.Load(); n != 1 {
		t.Errorf("asked for %d tokens, want 1", n)
	}
}

// Goroutines that need a token at the same time share one request and its failure.
func TestServiceAccountAsksOnce(t *testing.T) {
	t.Parallel()
	for status, body := range map[int]string{
		200: `{"access_token":"x","token_type":"bearer","expires_in":5400}`,
		401: `{"error":"invalid_client"}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{serve: func(_ int32, c net.Conn) {
				time.Sleep(time.Second) // by then all goroutines wait
				responds(status, body)(c)
			}}
			s := NewServiceAccount(&OAuth{Environment: plain(), ClientID: "id", ClientSecret: NewSecret(testSecret), Dial: n.open}, nil)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					token, err := s.validToken(t.Context(), Token{})
					if e, ok := errors.AsType[*TokenError](err); ok != (status != 200) || ok && !e.InvalidClient() || ok == (token.AccessToken.Reveal() == "x") {
						t.Errorf("got %v, %v", token, err)
					}
				})
			}
			all.Wait()
			if got := n.received.Load(); got != 1 {
				t.Errorf("asked for %d tokens, want 1", got)
			}
		})
	}
}

// A caller that leaves does not affect the others: the next one requests a token itself.
func TestServiceAccountCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{serve: func(_ int32, c net.Conn) {
			time.Sleep(time.Second)
			responds(200, `{"access_token":"x","token_type":"bearer","expires_in":5400}`)(c)
		}}
		s := NewServiceAccount(&OAuth{Environment: plain(), Dial: n.open}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, tt := range []struct {
			ctx  context.Context
			want error
		}{{ctx, context.Canceled}, {t.Context(), nil}, {ctx, context.Canceled}, {t.Context(), nil}} {
			all.Go(func() {
				if token, err := s.validToken(tt.ctx, Token{}); !errors.Is(err, tt.want) || (err == nil) != (token.AccessToken.Reveal() == "x") {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
			synctest.Wait()
		}
		cancel()
		all.Wait()
	})
}

// An unreachable server is not the end of a caller's context: all callers get the one
// failure and do not wait for it one after the other.
func TestServiceAccountOutOfReach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dialled atomic.Int32
		s := NewServiceAccount(&OAuth{Environment: plain(), Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialled.Add(1)
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
		}}, nil)
		begin := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := s.validToken(t.Context(), Token{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != connectTimeout {
					t.Errorf("got %v after %v, want a timeout after %v", err, time.Since(begin), connectTimeout)
				}
			})
		}
		all.Wait()
		if got := dialled.Load(); got != 1 {
			t.Errorf("dialled %d times, want once", got)
		}
	})
}

// A connection may see its caller's deadline before the context has ended. That counts
// as the end of the caller's context too.
func TestServiceAccountCallerIsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{serve: func(_ int32, c net.Conn) {
			responds(200, `{"access_token":"x","token_type":"bearer","expires_in":5400}`)(c)
		}}
		late := true
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			if !late {
				return n.open(ctx, network, address)
			}
			late = false
			d, _ := ctx.Deadline()
			time.Sleep(time.Until(d))
			return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
		}
		s := NewServiceAccount(&OAuth{Environment: plain(), Dial: dial}, nil)
		var all sync.WaitGroup
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Second)
			defer cancel()
			if _, err := s.validToken(silent{ctx}, Token{}); err == nil {
				t.Error("no error after the deadline")
			}
		})
		synctest.Wait()
		if token, err := s.validToken(t.Context(), Token{}); err != nil || token.AccessToken.Reveal() != "x" {
			t.Errorf("got %v, %v, want a token", token, err)
		}
		all.Wait()
	})
}

// A silent context has not noticed its deadline yet.
type silent struct{ context.Context }

func (silent) Done() <-chan struct{} { return nil }
func (silent) Err() error            { return nil }
