package procoretest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// how is what a quirk changes. Each field may be nil.
type how struct {
	options  func(*Options)
	request  func(*Server, *answer, *http.Request) bool // may answer in place of the fake, and reports whether it did
	answer   []func(*transfer)                          // of the API or the OAuth endpoints
	delivery []func(*transfer)                          // to a hook's destination
}

// transfer is an answer or a delivery on its way.
type transfer struct {
	method string // of the request that is answered
	path   string // of that request; empty for a delivery
	status int    // of the answer
	header http.Header
	body   []byte
}

func option(f func(*Options)) how                               { return how{options: f} }
func requests(f func(*Server, *answer, *http.Request) bool) how { return how{request: f} }
func answers(f ...func(*transfer)) how                          { return how{answer: f} }
func deliveries(f ...func(*transfer)) how                       { return how{delivery: f} }
func pages(f ...func(*transfer)) how {
	return how{options: func(o *Options) { o.MaxPerPage = 1 }, answer: f}
}

const gatewayPage = "<!DOCTYPE html><html><head><title>Please wait</title></head><body><h1>Maintenance</h1></body></html>"

// once answers the first GET of each path in place of the API.
func once(status int, body string) how {
	return requests(func(s *Server, a *answer, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/rest/") || !s.first(r.URL.Path) {
			return false
		}
		s.undone(r, status)
		a.status = status
		a.header.Set("Content-Type", "text/html; charset=utf-8")
		if status == http.StatusTemporaryRedirect {
			a.header.Set("Location", r.URL.RequestURI())
		}
		a.body.WriteString(body)
		return true
	})
}

// probeHook refuses a hook whose destination does not answer HEAD.
func probeHook(s *Server, a *answer, r *http.Request) bool {
	_, rest, hooks := strings.Cut(r.URL.Path, "/webhooks/hooks")
	if !hooks || strings.Count(rest, "/") > 1 || r.Method != http.MethodPost && r.Method != http.MethodPatch {
		return false
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	destination := ""
	fields(func(v any) any { destination, _ = v.(string); return v }, "destination_url")(&transfer{body: body})
	s.mu.Lock()
	refused := err != nil || destination == "" || s.refusal(destination) != ""
	s.mu.Unlock()
	if refused {
		return false // the handler has the words
	}
	if err := s.probe(r, destination); err != nil {
		writeJSON(a, http.StatusUnprocessableEntity, message("destination_url: "+bounded(err.Error())))
		return true
	}
	return false
}

func (s *Server) probe(r *http.Request, destination string) error {
	head, err := http.NewRequestWithContext(r.Context(), http.MethodHead, destination, nil)
	if err != nil {
		return err
	}
	resp, err := s.delivery.Do(head)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("HEAD is answered %d", resp.StatusCode)
	}
	return nil
}

// disableOnce disables each hook when it is read for the first time.
func disableOnce(s *Server, _ *answer, r *http.Request) bool {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/webhooks/hooks") {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hooks {
		if key := "hook " + idText(h.id); !s.met[key] && len(s.met) < maxWorld {
			s.met[key], h.disabled = true, true
			s.keepHook(h)
		}
	}
	return false
}

func status(from, to int) func(*transfer) {
	return func(m *transfer) {
		if m.status == from {
			m.status = to
		}
	}
}

func deletedObject(m *transfer) {
	if m.method == http.MethodDelete && m.status == http.StatusNoContent {
		m.status, m.body = http.StatusOK, []byte(`{"data":{}}`)
		m.header.Set("Content-Type", "application/json")
	}
}

func grant401(m *transfer) {
	if bytes.Contains(m.body, []byte("invalid_grant")) {
		m.status = http.StatusUnauthorized
	}
}

func noHeader(status int) func(*transfer) {
	return func(m *transfer) {
		if bytes.Contains(m.body, []byte("Missing Procore-Company-Id header!")) {
			m.status = status
		}
	}
}

func revokedText(m *transfer) {
	if m.path == "/oauth/revoke" && m.status == http.StatusOK {
		m.body = []byte("OK")
		m.header.Set("Content-Type", "text/plain")
	}
}

// extraParameters adds parameters to the redirect to the app. RFC 9207 defines one.
func extraParameters(m *transfer) {
	if m.path == "/oauth/authorize" {
		extra := url.Values{"iss": {"https://login.procore.example"}, "session_state": {"a b"}, "scope": {""}}
		m.header.Set("Location", m.header.Get("Location")+"&"+extra.Encode())
	}
}

// byHash orders a list by a hash of its items' ids.
func byHash(a, b updatable) int { return cmp.Compare(hashOf(a.key()), hashOf(b.key())) }

func hashOf(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

func latestFirst(a, b updatable) int { return b.updated().Compare(a.updated()) }
func latestLast(a, b updatable) int  { return a.updated().Compare(b.updated()) }

// header sets a header, or removes it. A nil value keeps net/http from adding its own.
func header(name string, values ...string) func(*transfer) {
	return func(m *transfer) { m.header[name] = values }
}

// contentType changes or removes the content type of JSON.
func contentType(values ...string) func(*transfer) {
	return func(m *transfer) {
		if strings.HasPrefix(m.header.Get("Content-Type"), "application/json") {
			m.header["Content-Type"] = values
		}
	}
}

// link changes the Link header, if there is one.
func link(m *transfer, pattern, to string) {
	if l := m.header.Get("Link"); l != "" {
		m.header.Set("Link", regexp.MustCompile(pattern).ReplaceAllString(l, to))
	}
}

// links changes the targets of the Link header. f gets the path, and the query with its
// question mark.
func links(f func(path, query string) string) func(*transfer) {
	return func(m *transfer) { link(m, `<http://[^/]*([^?]*)(\?[^>]*)>`, "<"+f("$1", "$2")+">") }
}

func at(base string) func(path, query string) string {
	return func(path, query string) string { return base + path + query }
}

func unquotedRel(m *transfer) { link(m, `rel="([a-z]+)"`, `title="a; b, c"; REL=$1; type=x`) }

func linkFields(m *transfer) {
	if l := m.header.Get("Link"); l != "" {
		m.header["Link"] = strings.Split(l, ", ")
	}
}

// around puts text around a body, if there is one.
func around(before, after string) func(*transfer) {
	return func(m *transfer) {
		if len(m.body) > 0 {
			m.body = slices.Concat([]byte(before), m.body, []byte(after))
		}
	}
}

func gzipped(m *transfer) {
	if len(m.body) == 0 {
		return
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(m.body)
	w.Close()
	m.body = b.Bytes()
	m.header.Set("Content-Encoding", "gzip")
}
