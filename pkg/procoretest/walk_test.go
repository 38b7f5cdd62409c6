package procoretest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

// walk takes random steps on a server with a storage.
type walk struct {
	t       *testing.T
	random  *rand.Rand
	all     []func(*walk)
	storage *memory
	server  *Server
	seen    map[string]bool // kinds of stored values

	tokens      []Pair
	codes       []string
	destination *httptest.Server
	delivered   *atomic.Int64
}

func newWalk(t *testing.T, seed uint64, all []func(*walk)) *walk {
	t.Helper()
	w := &walk{t: t, random: rand.New(rand.NewPCG(seed, 0)), all: all, storage: newMemory(nil),
		seen: map[string]bool{}, delivered: &atomic.Int64{}}
	n := atomic.Int64{}
	w.destination = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%3 == 0 {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.delivered.Add(1)
	}))
	t.Cleanup(w.destination.Close)
	w.server = startOn(t, w.storage, Options{})
	w.tokens = []Pair{w.server.Token(t, Joe, redirect), w.server.ServiceToken()}
	return w
}

// step takes one step. Its answer is whatever it is.
func (w *walk) step() { pick(w, w.all)(w) }

// restart goes on with another server.
func (w *walk) restart() {
	w.server.Close()
	w.storage = newMemory(w.storage.content())
	w.server = startOn(w.t, w.storage, Options{})
}

func (w *walk) count(kinds map[string]int) {
	for kind := range kinds {
		w.seen[kind] = true
	}
}

// met fails the test unless all these kinds of values were stored.
func (w *walk) met(kinds ...string) {
	w.t.Helper()
	w.count(isKept(w.t, w.server, w.storage.content))
	for _, kind := range kinds {
		if !w.seen[kind] {
			w.t.Errorf("nothing of kind %q was stored", kind)
		}
	}
}

func pick[T any](w *walk, all []T) T { return all[w.random.IntN(len(all))] }

func (w *walk) token() Pair { return pick(w, w.tokens) }

func (w *walk) post(path string, form url.Values) reply {
	r := request(w.t, "POST", w.server.URL+path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	got, _ := send(w.t, r) // a fault may have cut the connection
	return got
}

// json sends JSON with Joe's or the service account's token.
func (w *walk) json(method, path, body string) reply {
	r := request(w.t, method, w.server.URL+path, body, "Authorization", "Bearer "+w.token().AccessToken,
		companyHeader, fmt.Sprint(MyConstruction), "Content-Type", "application/json")
	got, _ := send(w.t, r)
	return got
}

// keepPair remembers the pair of an answer.
func (w *walk) keepPair(r reply) {
	var p Pair
	if json.Unmarshal([]byte(r.body), &p) == nil && p.AccessToken != "" {
		w.tokens = append(w.tokens, p)
	}
}

// id returns one of few ids, so that they meet.
func (w *walk) id() int64 { return 1 + w.random.Int64N(6) }

// worldSteps change users, companies, resources, options, faults and the clock.
func worldSteps() []func(*walk) {
	return []func(*walk){
		func(w *walk) { w.server.AddUser(User{ID: w.id(), Name: "A User", Login: "a@b.example"}) },
		func(w *walk) { w.json("POST", "/_fake/users", fmt.Sprintf(`{"id":%d,"name":"Zoë <&>"}`, w.id())) },
		func(w *walk) {
			c := NewCompany(w.id(), "A Company", Joe)
			c.Projects = []Project{{ID: 100 + w.id(), Name: "A Project"}}
			w.server.AddCompany(c)
		},
		func(w *walk) {
			on := w.random.IntN(2) == 0
			w.server.UpdateCompany(w.id(), CompanyPatch{Installed: &on, DeniedTools: &[]string{"rfis"}})
		},
		func(w *walk) { w.json("PATCH", "/_fake/companies/5678", `{"installed":false,"service_account":true}`) },
		func(w *walk) { w.json("GET", "/rest/v1.0/companies/5678/projects", "") }, // installs the app
		func(w *walk) { w.json("POST", "/rest/v1.0/projects/2001/rfis", `{"rfi":{"subject":"By the app"}}`) },
		func(w *walk) {
			w.json("PATCH", "/rest/v1.0/projects/2001/rfis/"+w.rfi(), `{"rfi":{"subject":"Changed"}}`)
		},
		func(w *walk) { w.json("DELETE", "/rest/v1.0/projects/2001/rfis/"+w.rfi(), "") },
		func(w *walk) { w.server.Emit(w.event()) },
		func(w *walk) { w.server.Emit(w.event()) },
		func(w *walk) { w.server.EmitAll([]Event{w.event(), w.event(), w.event()}) },
		func(w *walk) { w.json("POST", "/_fake/batches", encoded([]Event{w.event(), w.event()})) },
		func(w *walk) { w.json("POST", "/_fake/events", encoded(w.event())) },
		func(w *walk) {
			w.post("/_ui/change", url.Values{"company_id": {"5678"}, "project_id": {"2001"}, "resource_name": {"RFIs"},
				"event_type": {"create"}, "title": {"With the page, in latin: \xe9"}})
		},
		func(w *walk) {
			w.post("/_ui/company", url.Values{"company_id": {"5678"}, "switch": {"user_installs"}, "on": {"true"}})
		},
		func(w *walk) { w.server.Advance(time.Duration(w.random.Int64N(int64(2 * time.Hour)))) },
		func(w *walk) { w.json("POST", "/_fake/clock", `{"advance_seconds":5}`) },
		func(w *walk) {
			w.json("PATCH", "/_fake/options", `{"crooked":"second-kill,dates-zone","expires_in_seconds":7200}`)
		},
		func(w *walk) { w.json("PATCH", "/_fake/options", `{"crooked":"","company_limit":{"hourly":100000}}`) },
		func(w *walk) {
			lose, as := w.random.Float64()/2, pick(w, []LoseAs{LoseSilently, LoseSucceeded, LoseDiscarded})
			w.server.UpdateOptions(OptionsPatch{LoseDeliveries: &lose, LoseAs: &as})
		},
		func(w *walk) {
			one, replay, keep := w.random.IntN(2) == 0, w.random.IntN(2) == 0, w.random.IntN(2) == 0
			w.server.UpdateOptions(OptionsPatch{OneEventID: &one, ReplayKillsSuccessor: &replay, KeepRefreshTokenOnError: &keep})
		},
		func(w *walk) {
			kind := pick(w, []string{Drop, Reset, Status, Hangup})
			f := Fault{Endpoint: pick(w, []string{"token", "revoke", "api", "/rest/v1.0/me"}), Kind: kind, Times: 2, Status: 503, Body: "<&>"}
			if kind == Hangup {
				f = Fault{Kind: Hangup}
			}
			w.server.Fault(f)
		},
		func(w *walk) { w.json("POST", "/_fake/faults", `{"endpoint":"token","kind":"drop","seconds":5}`) },
		func(w *walk) { w.server.ClearFaults() },
		func(w *walk) { w.json("POST", "/_fake/answers", `{"path":"/rest/v1.0/own","body":{"a" : ["<&>"]}}`) },
		func(w *walk) { w.server.Answer(Answer{Path: "/rest/v1.0/own", Body: []byte(` {} `), Times: 2}) },
		func(w *walk) { w.json("GET", "/rest/v1.0/own", "") },
		func(w *walk) { w.server.ClearAnswers() },
	}
}

// tokenSteps use the OAuth endpoints.
func tokenSteps() []func(*walk) {
	exchange := func(w *walk, more ...string) { w.keepPair(w.post("/oauth/token", credentials(more...))) }
	return []func(*walk){
		func(w *walk) {
			to, err := url.Parse(w.server.Authorize(w.t, Joe, authorizeURL(w.server)))
			if err != nil {
				w.t.Fatal(err)
			}
			w.codes = append(w.codes, to.Query().Get("code"))
		},
		func(w *walk) {
			if len(w.codes) > 0 {
				exchange(w, "grant_type", "authorization_code", "code", pick(w, w.codes))
			}
		},
		func(w *walk) { exchange(w, "grant_type", "refresh_token", "refresh_token", w.token().RefreshToken) },
		func(w *walk) {
			exchange(w, "grant_type", "refresh_token", "refresh_token", w.tokens[len(w.tokens)-1].RefreshToken)
		},
		func(w *walk) { exchange(w, "grant_type", "refresh_token", "refresh_token", "never issued \xff") },
		func(w *walk) { exchange(w, "grant_type", "client_credentials") },
		func(w *walk) { w.post("/oauth/revoke", credentials("token", w.token().AccessToken)) },
		func(w *walk) {
			w.post("/oauth/revoke", credentials("token", w.token().RefreshToken, "token_type_hint", "refresh_token"))
		},
		func(w *walk) { w.tokens = append(w.tokens, w.server.Token(w.t, Joe, redirect)) },
		func(w *walk) { w.tokens = append(w.tokens, w.server.ServiceToken()) },
	}
}

// hookSteps use hooks and what their workers do.
func hookSteps() []func(*walk) {
	scopes := []string{"", "", "/projects/2001"}
	hooks := func(w *walk, more string) string {
		return "/rest/v2.0/companies/5678" + pick(w, scopes) + "/webhooks/hooks" + more
	}
	one := func(w *walk, method, more, body string) { // of those that exist, and of its triggers
		h := pick(w, append(w.server.State().Hooks, Hook{}))
		path := "/rest/v2.0/companies/5678"
		if h.ProjectID != 0 {
			path += "/projects/2001"
		}
		trigger := strings.NewReplacer("TRIGGER", idText(pick(w, append(h.Triggers, Trigger{})).ID))
		w.json(method, path+"/webhooks/hooks/"+idText(h.ID)+trigger.Replace(more), trigger.Replace(body))
	}
	triggers := `[{"resource_name":"RFIs","event_type":"update"},{"resource_name":"Company Users","event_type":"create"}]`
	return []func(*walk){
		func(w *walk) { w.tokens = append(w.tokens[:0], w.server.Token(w.t, Joe, redirect)) }, // no fault is in its way
		func(w *walk) { w.server.ClearFaults() },
		func(w *walk) {
			w.json("PATCH", "/_fake/companies/5678", `{"connected":true,"installed":true,"user_installs":true,"members":[1234567],"denied_tools":[]}`)
		},
		func(w *walk) {
			body := fmt.Sprintf(`{"namespace":"walk","payload_version":%q,"destination_url":"%s/%d","destination_headers":{"A":"bcdefghij"}}`,
				pick(w, []string{"v2", "v3.0", "v4.0"}), w.destination.URL, w.id())
			made := w.json("POST", hooks(w, ""), body)
			var h struct{ Data struct{ ID string } }
			if json.Unmarshal([]byte(made.body), &h) == nil && h.Data.ID != "" {
				w.json("POST", hooks(w, "/"+h.Data.ID+"/triggers/bulk"), triggers)
			}
		},
		func(w *walk) { one(w, "PATCH", "", `{"status":"active"}`) },
		func(w *walk) { one(w, "PATCH", "", `{"status":"disabled","namespace":"other"}`) },
		func(w *walk) {
			w.json("PATCH", "/_fake/hooks/"+w.hook(), fmt.Sprintf(`{"disabled":%t}`, w.random.IntN(2) == 0))
		},
		func(w *walk) {
			w.json("POST", "/_fake/redeliveries", fmt.Sprintf(`{"delivery_id":%s}`, w.delivery()))
		},
		func(w *walk) {
			if w.random.IntN(3) == 0 {
				one(w, "DELETE", "", "")
			}
		},
		func(w *walk) { one(w, "POST", "/triggers", `{"resource_name":"RFIs","event_type":"create"}`) },
		func(w *walk) { one(w, "POST", "/triggers/bulk", triggers) },
		func(w *walk) { one(w, "DELETE", "/triggers/TRIGGER", "") },
		func(w *walk) { one(w, "DELETE", "/triggers/bulk", `["TRIGGER"]`) },
		func(w *walk) { w.json("PATCH", "/_fake/options", `{"crooked":"disabled","disable_after":3}`) },
		func(w *walk) {
			w.json("PATCH", "/_fake/options", `{"crooked":"","disable_after":0,"lose_deliveries":0.2}`)
		},
		func(w *walk) { w.json("GET", hooks(w, "?namespace=walk"), "") },
		func(w *walk) { w.server.Advance(13 * time.Hour) }, // flushes what waits
		func(w *walk) { w.server.Advance(time.Minute) },
	}
}

// rfi, hook and delivery return the id of one that exists, if one does.
func (w *walk) rfi() string {
	ids := []string{"0"}
	for _, r := range w.server.State().Resources {
		if r.ProjectID == 2001 && r.Name == "RFIs" {
			ids = append(ids, string(r.ID))
		}
	}
	return pick(w, ids)
}

func (w *walk) hook() string {
	ids := []string{"0"}
	for _, h := range w.server.State().Hooks {
		ids = append(ids, fmt.Sprint(h.ID))
	}
	return pick(w, ids)
}

func (w *walk) delivery() string {
	ids := []string{"0"}
	for _, d := range w.server.State().Deliveries {
		ids = append(ids, fmt.Sprint(d.ID))
	}
	return pick(w, ids)
}

// event returns a change of something in one of several places.
func (w *walk) event() Event {
	e := Event{CompanyID: MyConstruction, EventType: pick(w, []string{"create", "update", "update", "delete"}),
		Copies: w.random.IntN(3), Title: pick(w, []string{"", "A title", "é\n\"<&>"})}
	names := map[string]int64{"RFIs": 2001, "Submittals": 2002, "Company Users": 0, "Projects": 0, "Document Uploads": 2001, "Own Things": 0}
	e.ResourceName = pick(w, slices.Sorted(maps.Keys(names)))
	e.ProjectID = names[e.ResourceName]
	if w.random.IntN(2) == 0 {
		e.ResourceID = pick(w, []procore.ID{"007", "8", "A-1"})
	}
	if e.ResourceName == "Company Users" && w.random.IntN(2) == 0 {
		e.ResourceID, e.Inactive = "1234567", w.random.IntN(2) == 0
	}
	e.Silent = w.random.IntN(4) == 0
	return e
}

func encoded(v any) string {
	var b strings.Builder
	json.NewEncoder(&b).Encode(v)
	return b.String()
}
