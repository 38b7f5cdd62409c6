package procoretest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Answer is an own answer of the API, for [Server.Answer]. It is the body of
// POST /_fake/answers, as JSON or a form, and comes before what the fake itself has at the path. Token,
// company header and limits are checked as for any call.
type Answer struct {
	// Method is the method that it answers. Empty means all methods.
	Method string `json:"method,omitempty"`
	// Path begins with /rest/. A segment in braces, such as {id}, stands for any one
	// segment, and * at the end for all paths below. If Path has a query, a call needs
	// these parameters too; without one, any query does.
	Path string `json:"path"`
	// CompanyID limits it to calls whose company header has this id. Zero means all
	// companies.
	CompanyID int64 `json:"company_id,omitempty"`
	// Status is 200 to 599. Zero means 200.
	Status int `json:"status,omitempty"`
	// Headers are added to the answer.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is JSON. A JSON string is sent as the text in it. Empty means an empty
	// object, or nothing with Status 204.
	Body json.RawMessage `json:"body,omitempty"`
	// Times is how many calls it answers before it is removed. Zero means any number.
	Times int `json:"times,omitempty"`
}

const (
	maxAnswers     = 1_000
	maxAnswerBytes = 10 << 20 // of all bodies together
	maxPath        = 512
)

// Answer adds an own answer. Of several that match a call, the last added applies. The
// error names the field that is out of bounds.
func (s *Server) Answer(a Answer) (err error) {
	defer s.mu.synced(&err)
	if err := a.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size := len(a.Body)
	for _, o := range s.answers {
		size += len(o.Body)
	}
	switch {
	case len(s.answers) >= maxAnswers:
		return fmt.Errorf("there are %d answers already", maxAnswers)
	case size > maxAnswerBytes:
		return fmt.Errorf("the bodies of all answers have %d bytes, more than %d", size, maxAnswerBytes)
	}
	s.setAnswers(append(slices.Clip(s.answers), a))
	return nil
}

// Answers returns the own answers, the first added first.
func (s *Server) Answers() []Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Answer{}, s.answers...)
}

// ClearAnswers removes all own answers.
func (s *Server) ClearAnswers() {
	defer s.mu.sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setAnswers(nil)
}

// setAnswers replaces the own answers. No other function does. The caller holds mu.
func (s *Server) setAnswers(all []Answer) {
	s.answers = all
	s.keepAnswers()
}

func (a Answer) check() error {
	path, query, _ := strings.Cut(a.Path, "?")
	_, err := url.ParseQuery(query)
	size := 0
	for k, v := range a.Headers {
		size += len(k) + len(v)
	}
	switch {
	case !strings.HasPrefix(path, "/rest/") || len(a.Path) > maxPath || err != nil:
		return fmt.Errorf("answer path %.80q does not begin with /rest/, is longer than %d bytes, or has no valid query", a.Path, maxPath)
	case strings.Contains(strings.TrimSuffix(path, "/*"), "*"):
		return fmt.Errorf("answer path %.80q has * elsewhere than at its end", a.Path)
	case len(a.Method) > 20:
		return fmt.Errorf("answer method is longer than 20 bytes")
	case a.CompanyID < 0:
		return fmt.Errorf("answer company_id %d is negative", a.CompanyID)
	case a.Status != 0 && (a.Status < 200 || a.Status > 599):
		return fmt.Errorf("answer status %d is not 200 to 599", a.Status)
	case len(a.Headers) > maxHeaders || size > maxHeaderBytes:
		return fmt.Errorf("answer headers are more than %d or have more than %d bytes", maxHeaders, maxHeaderBytes)
	case len(a.Body) > maxBody || len(a.Body) > 0 && !json.Valid(a.Body):
		return fmt.Errorf("answer body is not JSON, or has more than %d bytes", maxBody)
	case a.Times < 0 || a.Times > maxTimes:
		return fmt.Errorf("answer times %d is not 0 to %d", a.Times, maxTimes)
	}
	return nil
}

// matches reports whether the answer is for the request.
func (a Answer) matches(r *http.Request) bool {
	path, query, _ := strings.Cut(a.Path, "?")
	if a.Method != "" && !strings.EqualFold(a.Method, r.Method) || !samePath(path, r.URL.Path) ||
		a.CompanyID != 0 && r.Header.Get(companyHeader) != idText(a.CompanyID) {
		return false
	}
	wanted, _ := url.ParseQuery(query) // check has seen it
	got := r.URL.Query()
	for name, values := range wanted {
		if !slices.Equal(got[name], values) {
			return false
		}
	}
	return true
}

// samePath reports whether the path has the pattern's segments.
func samePath(pattern, path string) bool {
	wanted, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, w := range wanted {
		switch {
		case i >= len(got):
			return false
		case w == "*" && i == len(wanted)-1:
			return true
		case strings.HasPrefix(w, "{") && strings.HasSuffix(w, "}") && got[i] != "":
		case w != got[i]:
			return false
		}
	}
	return len(wanted) == len(got)
}

// answered answers the call with the last own answer that matches, and reports whether
// there is one.
func (c *call) answered() bool {
	for i, a := range slices.Backward(c.answers) {
		if a.matches(c.r) {
			if c.mayAnswer() {
				c.use(i)
				a.write(c.w)
			}
			return true
		}
	}
	return false
}

// mayAnswer checks the company header, except on the two paths that need none.
func (c *call) mayAnswer() bool {
	if path := c.r.URL.Path; c.pair.userID != 0 && (path == "/rest/v1.0/me" || path == "/rest/v1.0/companies") {
		return true
	}
	c.nameCompany()
	return c.enter()
}

// nameCompany sets the path's company where no route of the fake has done it.
func (c *call) nameCompany() {
	_, rest, _ := strings.Cut(c.r.URL.Path, "/companies/")
	id, _, _ := strings.Cut(rest, "/")
	if _, err := strconv.ParseInt(id, 10, 64); err == nil {
		c.r.SetPathValue("company", id)
	}
}

// use removes an own answer that has answered its last call.
func (c *call) use(i int) {
	if c.answers[i].Times == 0 {
		return
	}
	all := slices.Clone(c.answers)
	if all[i].Times--; all[i].Times == 0 {
		all = slices.Delete(all, i, i+1)
	}
	c.setAnswers(all)
}

func (a Answer) write(w http.ResponseWriter) {
	body, text := []byte(a.Body), ""
	if json.Unmarshal(body, &text) == nil {
		body = []byte(text)
	}
	if len(a.Body) == 0 && a.Status != http.StatusNoContent {
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range a.Headers {
		w.Header().Set(k, v)
	}
	w.WriteHeader(or(a.Status, http.StatusOK))
	w.Write(body)
}
