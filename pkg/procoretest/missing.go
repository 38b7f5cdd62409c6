package procoretest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
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
	answer := encodePlain(suggested(r))
	text := fmt.Sprintf("the fake Procore does not have %s %s; add an answer with: curl -X POST http://%s/_fake/answers -d '%s'",
		r.Method, r.URL.EscapedPath(), host, answer)
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

// encodePlain encodes JSON for a shell's single quotes.
func encodePlain(v any) string { return strings.ReplaceAll(string(encode(v)), "'", `\u0027`) }

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
