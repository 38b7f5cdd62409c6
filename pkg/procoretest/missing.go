package procoretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"procore-connect/pkg/procore"
)

// maxMissing is what a client shows of an error: pkg/procore cuts a message there.
const maxMissing = 500

// missing answers 404 to a call that the fake does not have, with the command that adds
// an answer. It is no answer of Procore's, so its words are not Procore's either.
func (c *call) missing() bool { return c.fail(http.StatusNotFound, missing(c.r)) }

// missing returns what the fake lacks, and the shell command that adds it.
func missing(r *http.Request) string {
	host := r.Host
	if !regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`).MatchString(host) {
		host = "127.0.0.1:4000" // a shell must not meet odd characters
	}
	text := fmt.Sprintf("the fake Procore does not have %s %s; add an answer with: curl -X POST http://%s/_fake/answers%s",
		r.Method, r.URL.EscapedPath(), host, suggested(r).flags())
	if len(text) > maxMissing {
		return fmt.Sprintf("the fake Procore does not have this path; add an answer with POST http://%s/_fake/answers, see docs/FAKE.md", host)
	}
	return text
}

// suggested returns an answer such as the path lets expect: an item, a list, or nothing
// after a deletion.
func suggested(r *http.Request) Answer {
	a := Answer{Method: r.Method, Path: r.URL.Path}
	last := a.Path[strings.LastIndex(a.Path, "/")+1:]
	_, isNumber := procore.ID(last).Int64()
	switch {
	case r.Method == http.MethodDelete:
		a.Status = http.StatusNoContent
		return a
	case isNumber:
		a.Body = encode(map[string]any{"id": wireID(procore.ID(last))})
	case r.Method == http.MethodPost:
		a.Status, a.Body = http.StatusCreated, encode(map[string]any{"id": 1})
	case r.Method == http.MethodGet:
		a.Body = json.RawMessage("[]")
	default:
		a.Body = json.RawMessage("{}")
	}
	if strings.HasPrefix(a.Path, "/rest/v2.") {
		a.Body = encode(map[string]any{"data": a.Body})
	}
	return a
}

// flags returns the answer as a form, in the flags of curl. There is no double quote in it
// and no backslash, because a log that quotes the command must leave it as it is.
func (a Answer) flags() string {
	var b strings.Builder
	for _, field := range [][2]string{{"method", a.Method}, {"path", a.Path}, {"status", strconv.Itoa(a.Status)}, {"body", string(a.Body)}} {
		if field[1] != "" && field[1] != "0" {
			fmt.Fprintf(&b, " -d '%s=%s'", field[0], inForm(field[1]))
		}
	}
	return b.String()
}

// inForm encodes a value of a form, and no more of it than it must.
func inForm(value string) string {
	const plain = "/-._~:,*{}[]"
	var b strings.Builder
	for _, c := range []byte(value) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// orForm returns a handler that takes the form of an answer as well as its JSON. curl
// declares both to be a form.
func orForm(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // which ServeHTTP has read
		form, bad := url.ParseQuery(string(body))
		if trimmed := bytes.TrimSpace(body); err == nil && bad == nil && len(trimmed) > 0 && trimmed[0] != '{' {
			body = encode(fromForm(form))
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h(w, r)
	}
}

// fromForm returns the fields of a form as JSON. A body that is not JSON is a text.
func fromForm(form url.Values) map[string]any {
	fields := map[string]any{}
	for name := range form {
		value := form.Get(name)
		fields[name] = value
		switch {
		case name == "body" && json.Valid([]byte(value)):
			fields[name] = json.RawMessage(value)
		case name == "status" || name == "company_id" || name == "times":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				fields[name] = n
			}
		}
	}
	return fields
}

// has reports whether the fake has a collection: one of the table of resources, one that
// a hook can report, or one of which there is a resource. The caller holds mu.
func (s *Server) has(coll string) bool {
	if _, ok := procore.ResourceOf(coll); ok {
		return true
	}
	for _, r := range procore.Resources() {
		if collection(r.Name) == coll {
			return true
		}
	}
	for _, r := range allWebhookResources() {
		if collection(r.name) == coll {
			return true
		}
	}
	for _, at := range s.shelves {
		for _, h := range at {
			if collection(h.name) == coll {
				return true
			}
		}
	}
	return false
}
