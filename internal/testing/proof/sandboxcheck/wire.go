package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

const (
	maxAnswer   = 4 << 20
	callTimeout = 30 * time.Second
)

// seen is an answer as it came: what package procore would make of it is what is in question.
type seen struct {
	call   string // such as "POST /oauth/token", without a value
	status int
	header http.Header
	body   []byte // decoded
	coded  bool   // the body was compressed, although no one asked
	marked bool   // it began with a byte order mark
	json   any    // nil if the body is no JSON
	err    error  // why there is no answer
}

// ok reports whether the call succeeded.
func (s seen) ok() bool { return s.err == nil && s.status >= 200 && s.status <= 299 }

// oauthCode returns the error code of RFC 6749 section 5.2, or "" for any other text, which could be an echo of a secret.
func (s seen) oauthCode() string {
	code, _ := field(s.json, "error").(string)
	if slices.Contains([]string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_token"}, code) {
		return code
	}
	return ""
}

// String describes the answer without anything that Procore wrote but its status and code.
func (s seen) String() string {
	if s.err != nil {
		return s.call + ": no answer"
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %d %s", s.call, s.status, s.oauthCode()))
}

// verdict is String without the call.
func (s seen) verdict() string {
	_, text, _ := strings.Cut(s.String(), ": ")
	return text
}

// field returns an object's member, in any letter case.
func field(v any, name string) any {
	o, _ := v.(map[string]any)
	for key, value := range o {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return nil
}

// data returns the payload of REST v2.
func (s seen) data() any {
	if d := field(s.json, "data"); d != nil {
		return d
	}
	return s.json
}

// text returns a member as text, also if it is a number.
func text(v any, name string) string {
	switch value := field(v, name).(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	}
	return ""
}

// wire makes calls of one environment, and of no other host.
type wire struct {
	environment  procore.Environment
	clientID     string
	clientSecret procore.Secret
	http         *http.Client
}

func newWire(e procore.Environment, id string, secret procore.Secret) *wire {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true}
	return &wire{e, id, secret, &http.Client{
		Transport: transport, Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// token calls the token endpoint or another one of the login with the app's credentials.
func (w *wire) login(ctx context.Context, path string, form url.Values) seen {
	form.Set("client_id", w.clientID)
	if !form.Has("client_secret") {
		form.Set("client_secret", w.clientSecret.Reveal())
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return w.do(ctx, http.MethodPost, w.environment.LoginURL, path, header, []byte(form.Encode()))
}

// api calls the API with an access token, in a company unless it is 0.
func (w *wire) api(ctx context.Context, method, path string, access procore.Secret, company string, body any) seen {
	header := http.Header{"Authorization": {"Bearer " + access.Reveal()}, "Accept": {"application/json"}}
	if company != "" {
		header.Set("Procore-Company-Id", company)
	}
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body) // maps and lists of texts always marshal
		header.Set("Content-Type", "application/json")
	}
	return w.do(ctx, method, w.environment.APIURL, path, header, text)
}

func (w *wire) do(ctx context.Context, method, base, path string, header http.Header, body []byte) seen {
	short, _, _ := strings.Cut(path, "?")
	s := seen{call: method + " " + anonymous(short)}
	r, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		s.err = err
		return s
	}
	r.Header = header
	resp, err := w.http.Do(r)
	if err != nil {
		s.err = err
		return s
	}
	defer resp.Body.Close()
	s.status, s.header = resp.StatusCode, resp.Header
	s.body, s.err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	s.decode()
	return s
}

func (s *seen) decode() {
	if bytes.HasPrefix(s.body, []byte("\x1f\x8b")) {
		if r, err := gzip.NewReader(bytes.NewReader(s.body)); err == nil {
			s.coded = true
			s.body, _ = io.ReadAll(io.LimitReader(r, maxAnswer))
		}
	}
	plain, marked := bytes.CutPrefix(s.body, []byte("\xef\xbb\xbf"))
	s.body, s.marked = plain, marked
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	if d.Decode(&s.json) != nil {
		s.json = nil
	}
}

// anonymous replaces ids in a path.
func anonymous(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.ContainsAny(p, "0123456789") && !strings.HasPrefix(p, "v") {
			parts[i] = "ID"
		}
	}
	return strings.Join(parts, "/")
}
