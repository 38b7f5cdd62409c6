package procoretest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A Quirk is one way in which the fake can differ from its plain self, where Procore
// documents nothing. [Options] sets quirks by name.
type Quirk struct {
	Name string // such as "gzip"
	// kind names quirks of which a seed picks one at most, because two of them would
	// change the same thing or be more than a client can bear.
	kind string
	Does string // such as "answers are gzip, although the client did not ask"
	how
}

// Crooked returns the quirks that [Options] names by this text: names with commas
// between, "seed:42" for three that depend on the number and on [Quirks], or "" for none.
// If the text is not valid, the error says what is.
func Crooked(text string) ([]Quirk, error) {
	if text == "" {
		return nil, nil
	}
	table := Quirks()
	if number, ok := strings.CutPrefix(text, "seed:"); ok {
		seed, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("crooked is %.40q, and a seed is a number", text)
		}
		return threeQuirks(table, seed), nil
	}
	names := map[string]bool{}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if !slices.ContainsFunc(table, func(q Quirk) bool { return q.Name == name }) {
			return nil, fmt.Errorf("crooked names %.40q; it is seed:NUMBER or some of %s", name, quirkNames(table))
		}
		names[name] = true
	}
	return slices.DeleteFunc(table, func(q Quirk) bool { return !names[q.Name] }), nil
}

func quirkNames(table []Quirk) string {
	var names []string
	for _, q := range table {
		names = append(names, q.Name)
	}
	return strings.Join(names, ", ")
}

// threeQuirks returns the table without all but three quirks of different kinds.
func threeQuirks(table []Quirk, seed uint64) []Quirk {
	random := rand.New(rand.NewPCG(seed, 0))
	chosen, kinds := map[string]bool{}, map[string]bool{}
	for _, i := range random.Perm(len(table)) {
		if q := table[i]; len(chosen) < 3 && (q.kind == "" || !kinds[q.kind]) {
			chosen[q.Name], kinds[q.kind] = true, true
		}
	}
	return slices.DeleteFunc(table, func(q Quirk) bool { return !chosen[q.Name] })
}

// bend makes the quirks valid that the plain options name. The caller holds mu, or is New.
func (s *Server) bend(plain Options) error {
	chosen, err := Crooked(plain.Crooked)
	if err != nil {
		return err
	}
	if plain.Crooked != s.plain.Crooked {
		s.met = map[string]bool{}
	}
	s.plain, s.opts, s.quirks = plain, plain, chosen
	for _, q := range chosen {
		if q.options != nil {
			q.options(&s.opts)
		}
	}
	return nil
}

// crooked returns the quirks that are set.
func (s *Server) crooked() []Quirk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quirks
}

// first reports whether the key is met for the first time since the quirks were set.
func (s *Server) first(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meet(key)
}

// meet is first. The caller holds mu.
func (s *Server) meet(key string) bool {
	if s.met[key] || len(s.met) >= maxWorld {
		return false
	}
	s.met[key] = true
	return true
}

// serveCrooked answers a request, in a crooked way if the options demand it. Of the pages only
// the redirect to the app is crooked.
func (s *Server) serveCrooked(a *answer, r *http.Request) {
	all := s.crooked()
	page := r.URL.Path == "/oauth/authorize"
	if !strings.HasPrefix(r.URL.Path, "/rest/") && !strings.HasPrefix(r.URL.Path, "/oauth/") {
		all = nil
	}
	for _, q := range all {
		if q.request != nil && !page && q.request(s, a, r) {
			return
		}
	}
	s.route(a, r)
	if page && a.status != http.StatusFound {
		return
	}
	m := &transfer{r.Method, r.URL.Path, a.status, a.header, bytes.Clone(a.body.Bytes())}
	for _, q := range all {
		for _, change := range q.answer {
			change(m)
		}
	}
	a.status = m.status
	a.body.Reset()
	a.body.Write(m.body)
}

// crookedDelivery sends the deliveries of a server in the ways of its quirks.
type crookedDelivery struct {
	server *Server
	next   http.RoundTripper
}

// CloseIdleConnections is what the method of [http.Client] with this name calls.
func (d crookedDelivery) CloseIdleConnections() {
	(&http.Client{Transport: d.next}).CloseIdleConnections()
}

// RoundTrip implements [http.RoundTripper].
func (d crookedDelivery) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return d.next.RoundTrip(r)
	}
	r, err := crookedRequest(d.server.crooked(), r)
	if err != nil {
		return nil, err
	}
	return d.next.RoundTrip(r)
}

// crookedRequest returns the delivery as the quirks change it.
func crookedRequest(all []Quirk, r *http.Request) (*http.Request, error) {
	if len(all) == 0 {
		return r, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m := &transfer{header: r.Header.Clone(), body: body}
	for _, q := range all {
		for _, change := range q.delivery {
			change(m)
		}
	}
	r = r.Clone(r.Context())
	r.Header, r.Body, r.ContentLength = m.header, io.NopCloser(bytes.NewReader(m.body)), int64(len(m.body))
	return r, nil
}
