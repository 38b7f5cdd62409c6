package crash

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// recorder sees what reaches the machine and what leaves it. It survives each crash.
type recorder struct {
	w *world

	mu          sync.Mutex
	sent        map[string]int  // refresh tokens, to the token endpoint
	spent       map[string]bool // of those, the ones that were answered
	issued      map[string]bool // refresh tokens that Procore answered
	connections map[connections.Key]bool
	generations map[tokens.Principal]int64
	hooks       map[int64]bool       // companies
	rfis        map[int64]procore.ID // the last one by company
	changes     map[string]bool      // event ids that Procore answered
	events      map[string]string    // event ids that were answered 2xx, with the resource's key
	unjudged    map[string]bool      // of those, the ones since the last start
	handled     map[string]bool      // event ids that reached the consumer
	messages    map[string]bool      // ids of SQS's messages; true: the consumer deletes it
}

func newRecorder(w *world) *recorder {
	return &recorder{
		w: w, sent: map[string]int{}, spent: map[string]bool{}, issued: map[string]bool{}, connections: map[connections.Key]bool{},
		generations: map[tokens.Principal]int64{}, hooks: map[int64]bool{}, rfis: map[int64]procore.ID{}, changes: map[string]bool{},
		events: map[string]string{}, unjudged: map[string]bool{}, handled: map[string]bool{}, messages: map[string]bool{},
	}
}

// answer is a buffered http.ResponseWriter.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// watch serves requests by h, and shows each to before, and with its answer to after, which happens before it leaves.
func watch(h http.Handler, before func(r *http.Request, body []byte), after func(r *http.Request, body []byte, a *answer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has left
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		before(r, body)
		a := &answer{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(a, r)
		after(r, body, a)
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body.Bytes())
	})
}

// procore records the calls of the token endpoint.
func (s *recorder) procore(h http.Handler) http.Handler {
	refresh := func(r *http.Request, body []byte) string {
		form, err := url.ParseQuery(string(body))
		if err != nil || r.URL.Path != "/oauth/token" {
			return ""
		}
		return form.Get("refresh_token")
	}
	return watch(h, func(r *http.Request, body []byte) {
		if token := refresh(r, body); token != "" {
			s.send(token)
		}
	}, func(r *http.Request, body []byte, a *answer) {
		token := refresh(r, body)
		var pair procoretest.Pair
		if token == "" || a.status >= http.StatusInternalServerError || json.Unmarshal(a.body.Bytes(), &pair) != nil {
			return
		}
		s.do(func() { s.spent[token] = true })
		if a.status == http.StatusOK {
			s.answered(pair.RefreshToken)
			s.w.stats.count("refreshes")
		} else {
			s.w.stats.count("refreshes refused")
		}
	})
}

// aws records the messages that SQS accepts.
func (s *recorder) aws(h http.Handler) http.Handler {
	return watch(h, func(*http.Request, []byte) {}, func(r *http.Request, _ []byte, a *answer) {
		if !strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.SendMessage") || a.status != http.StatusOK {
			return
		}
		var out struct {
			Successful []struct {
				ID string `json:"MessageId"`
			}
		}
		if json.Unmarshal(a.body.Bytes(), &out) != nil {
			return
		}
		for _, m := range out.Successful {
			s.do(func() { s.messages[m.ID] = s.messages[m.ID] || false })
		}
	})
}

func (s *recorder) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// send records a refresh token that reaches the token endpoint.
func (s *recorder) send(token string) {
	var n int
	s.do(func() {
		s.sent[token]++
		n = s.sent[token]
	})
	if n > 1 {
		s.w.t.Errorf("seed %d, start %d: R1: a refresh token is sent for the %d. time", s.w.seed, s.w.starts, n)
	}
}

// answered records that Procore answered a refresh token.
func (s *recorder) answered(token string) { s.do(func() { s.issued[token] = true }) }

func (s *recorder) connected(k connections.Key) { s.do(func() { s.connections[k] = true }) }

func (s *recorder) generation(p tokens.Principal, n int64) {
	s.do(func() { s.generations[p] = max(s.generations[p], n) })
}

func (s *recorder) hooked(company int64) { s.do(func() { s.hooks[company] = true }) }

func (s *recorder) needsHook(company int64) (needs bool) {
	s.do(func() { needs = !s.hooks[company] })
	return needs
}

func (s *recorder) changed(company int64, made procoretest.Emitted) {
	s.do(func() {
		s.rfis[company] = made.ResourceID
		for _, id := range made.EventIDs {
			s.changes[id] = true
		}
	})
}

func (s *recorder) lastRFI(company int64) (id procore.ID) {
	s.do(func() { id = s.rfis[company] })
	return id
}

func (s *recorder) acknowledged(e procore.Event) {
	s.do(func() { s.events[e.ID], s.unjudged[e.ID] = inbox.ResourceOf(e), true })
}

func (s *recorder) consumed(eventID string) { s.do(func() { s.handled[eventID] = true }) }

// deleting records that the consumer is done with a message.
func (s *recorder) deleting(messageID string) { s.do(func() { s.messages[messageID] = true }) }
