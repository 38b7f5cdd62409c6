package procore_test

import (
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// secure serves the fake over TLS, with or without HTTP/2, and gzips its answers.
func secure(t *testing.T, http2 bool) (p *procoretest.Server, env procore.Environment, hc *http.Client, zipped *atomic.Int32) {
	t.Helper()
	p, zipped = procoretest.New(procoretest.Options{}), new(atomic.Int32)
	t.Cleanup(p.Close)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := 1
		if http2 {
			want = 2
		}
		if r.ProtoMajor != want || r.TLS == nil {
			t.Errorf("%s over %s, TLS %t", r.URL.Path, r.Proto, r.TLS != nil)
		}
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Errorf("%s: gzip was not asked for", r.URL.Path)
		}
		zipped.Add(1)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		p.ServeHTTP(gzipped{w, z}, r)
		_ = z.Close()
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // connections are cut on purpose
	srv.EnableHTTP2 = http2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	base := srv.Client().Transport
	return p, procore.Environment{Name: "custom", LoginURL: srv.URL, APIURL: srv.URL},
		&http.Client{Transport: bearer{p.Token(t, procoretest.Ann, "http://127.0.0.1:3000/").AccessToken, base}}, zipped
}

type gzipped struct {
	http.ResponseWriter
	z io.Writer
}

func (g gzipped) Write(b []byte) (int, error) { return g.z.Write(b) }
func (g gzipped) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// The client against the fake over TLS and gzip, by HTTP/1.1 and HTTP/2, with
// faults. Reads succeed in spite of each. A write whose outcome is unknown is not
// repeated, and Procore has carried it out at most once.
func TestFaultsOverTLS(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault procoretest.Fault
		write bool // succeeds
		hooks int  // made by the write
	}{
		"none":                 {write: true, hooks: 1},
		"connection reset":     {fault: procoretest.Fault{Kind: procoretest.Reset}, hooks: 0},
		"answer lost":          {fault: procoretest.Fault{Kind: procoretest.Drop}, hooks: 1},
		"slow":                 {fault: procoretest.Fault{Kind: procoretest.Delay, DelayMS: 50}, write: true, hooks: 1},
		"502, HTML":            {fault: procoretest.Fault{Kind: procoretest.Status, Status: 502, Body: "<html>"}, hooks: 0},
		"503":                  {fault: procoretest.Fault{Kind: procoretest.Status, Status: 503, Headers: map[string]string{"Retry-After": "0"}}, hooks: 0},
		"429":                  {fault: procoretest.Fault{Kind: procoretest.Status, Status: 429}, write: true, hooks: 1},
		"200, an empty answer": {fault: procoretest.Fault{Kind: procoretest.Status, Status: 200, Body: " "}, hooks: 0},
		"200, a login page":    {fault: procoretest.Fault{Kind: procoretest.Status, Status: 200, Body: "<html>log in</html>"}, hooks: 0},
	}
	for name, tt := range tests {
		for proto, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
			t.Run(name+" "+proto, func(t *testing.T) {
				t.Parallel()
				p, env, hc, zipped := secure(t, http2)
				c, ctx := procore.NewCompanyClient(env, hc, procoretest.NorthernPlanner), t.Context()
				strike := func(method string) {
					if f := tt.fault; f.Kind != "" {
						f.Endpoint, f.Method = "api", method
						if err := p.Fault(f); err != nil {
							t.Fatal(err)
						}
					}
				}
				strike(http.MethodGet)
				if me, err := c.Me(ctx); err != nil || me.ID != procoretest.Ann {
					t.Errorf("read: got %+v, %v", me, err)
				}
				strike(http.MethodPost)
				_, err := c.CreateHook(ctx, procore.HookSpec{Namespace: "acme-app", DestinationURL: "http://127.0.0.1:1/", PayloadVersion: "v2.0"})
				if (err == nil) != tt.write {
					t.Errorf("write: got %v, want success %t", err, tt.write)
				}
				if got := len(p.State().Hooks); got != tt.hooks {
					t.Errorf("the write made %d hooks, want %d", got, tt.hooks)
				}
				if zipped.Load() == 0 {
					t.Error("nothing was gzipped")
				}
			})
		}
	}
}

// A certificate without a trusted root is refused before anything is sent.
func TestUnknownCertificate(t *testing.T) {
	t.Parallel()
	p, env, _, _ := secure(t, true)
	_, err := procore.NewUserClient(env, nil).Me(t.Context())
	if err == nil || errors.Is(err, procore.ErrUnavailable) || len(p.State().Calls) > 0 {
		t.Errorf("got %v after %d calls", err, len(p.State().Calls))
	}
}
