package announce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/upkeep/heartbeat"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const topic = "connections"

// recorded returns the changes of a table so far, as Lambda passes them to the function.
func recorded(t *testing.T, server *dynamotest.Server, table string) (all []json.RawMessage) {
	t.Helper()
	now, cancel := context.WithCancel(t.Context())
	cancel() // Feed does not wait for a first change
	feed, err := server.Feed(now, table, 0)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, change := range feed {
		record, err := json.Marshal(map[string]any{"eventName": change.Event, "dynamodb": map[string]any{
			"ApproximateCreationDateTime": change.At.Unix(),
			"SequenceNumber":              fmt.Sprint(change.Sequence), "Keys": change.Keys, "NewImage": change.NewImage, "OldImage": change.OldImage,
		}})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, record)
	}
	return all
}

// announced is a user who authorizes, and the companies that the user connects, with the announcements that follow.
type announced struct {
	*Announcer
	t           *testing.T
	server      *dynamotest.Server
	names       tables.Names
	topics      *awstest.Topics
	log         bytes.Buffer
	fake        *procoretest.Server
	tokens      *tokens.Store
	connections *connections.Store
	now         time.Time
	told        map[string]int // how many of a table's records the announcer has seen
	read        int            // how many messages of the topic the test has
}

const redirectURI = "http://127.0.0.1:3000/oauth/callback"

var joe = tokens.User(procoretest.Joe)

func newAnnounced(t *testing.T) *announced {
	t.Helper()
	server := dynamotest.New()
	db := dynamotest.Client(server.Start(t))
	a := &announced{
		t: t, server: server, names: tables.CreateForTest(t, db), topics: awstest.NewTopics(topic),
		fake: procoretest.Start(t), now: time.Now(), told: map[string]int{},
	}
	aws := httptest.NewServer(&awstest.Services{Topics: a.topics})
	t.Cleanup(aws.Close)
	o := db.Options()
	a.Announcer = &Announcer{
		Topic:    sns.New(sns.Options{BaseEndpoint: &aws.URL, Region: o.Region, Credentials: o.Credentials, RetryMaxAttempts: 1}),
		TopicARN: awstest.TopicARN(topic), DB: db, Connections: a.names.Connections, Log: slog.New(slog.NewJSONHandler(&a.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock: procore.Clock{Time: func() time.Time { return a.now }},
	}
	env, err := procore.ParseEnvironment("custom", a.fake.URL, a.fake.URL)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Parse(`{"current":"k1","k1":"fake-seal-key-0123456789-0123456789-0123456789"}`)
	if err != nil {
		t.Fatal(err)
	}
	a.tokens = &tokens.Store{
		DB: db, Grants: a.names.Grants, Spends: a.names.Spends, Environment: env, Log: slog.New(slog.DiscardHandler),
		Clock: procore.Clock{Time: func() time.Time { return a.now }},
		Keys:  secrettest.Constant(ring),
		OAuth: secrettest.Constant(&procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}),
	}
	a.connections = &connections.Store{DB: db, Table: a.names.Connections, Tokens: a.tokens, Log: slog.New(slog.DiscardHandler)}
	return a
}

func (a *announced) authorize() error {
	pair := a.fake.Token(a.t, procoretest.Joe, redirectURI)
	_, err := a.tokens.Authorize(a.t.Context(), tokens.Authorization{Principal: joe, RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken), Expiry: a.now.Add(time.Hour), IssuedAt: a.now,
	}})
	return err
}

func keyOf(company int64) connections.Key { return connections.Key{CompanyID: company, Principal: joe} }

func (a *announced) connect(company int64) error {
	_, err := a.connections.Connect(a.t.Context(), connections.New{
		Key: keyOf(company), CompanyName: "A Company", UserName: "A User", Webhooks: connections.WebhooksPending,
	})
	return err
}

// on makes a step of a connection as it is stored.
func (a *announced) on(company int64, step func(connections.Connection) error) error {
	c, err := a.connections.Connection(a.t.Context(), keyOf(company))
	if err != nil {
		return err
	}
	return step(c)
}

func (a *announced) webhooks(company int64, w connections.Webhooks) error {
	a.now = a.now.Add(time.Minute)
	return a.on(company, func(c connections.Connection) error {
		_, _, err := a.connections.SetWebhooks(a.t.Context(), c, w, a.now)
		return err
	})
}

func (a *announced) disconnect(company int64) error {
	return a.on(company, func(c connections.Connection) error { return a.connections.Disconnect(a.t.Context(), c) })
}

// refresh is refused if refused is set.
func (a *announced) refresh(refused bool) error {
	a.now = a.now.Add(2 * time.Minute)
	if refused {
		err := a.fake.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`, Times: 1})
		if err != nil {
			return err
		}
	}
	_, err := a.tokens.Upkeep().Refresh(a.t.Context(), joe, 24*time.Hour)
	if refused && errors.Is(err, tokens.ErrReauthorize) {
		return nil
	}
	return err
}

// handle passes the changes since the last call to the announcer, and returns the first
// record to be repeated, or "". A record that no filter lets through is passed too: it may
// not be announced.
func (a *announced) handle(records []json.RawMessage, filters []string) string {
	a.t.Helper()
	for _, record := range records {
		var decoded any
		var r Record
		if err := errors.Join(json.Unmarshal(record, &decoded), json.Unmarshal(record, &r)); err != nil {
			a.t.Fatal(err)
		}
		if ok, err := streamtest.Matches(filters, decoded); err != nil || !ok && (announcement(r) != nil || len(r.tenants()) > 0) {
			a.t.Errorf("the filters drop %s: %v", record, err)
		}
	}
	text, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		a.t.Fatal(err)
	}
	var in Event
	if err := json.Unmarshal(text, &in); err != nil {
		a.t.Fatal(err)
	}
	out, err := a.Handle(a.t.Context(), in)
	if err != nil {
		a.t.Fatal(err)
	}
	if len(out.BatchItemFailures) == 0 {
		return ""
	}
	return out.BatchItemFailures[0].ItemIdentifier
}

// messages returns what is announced of the changes since the last call.
func (a *announced) messages() (all []map[string]any) {
	a.t.Helper()
	for table, filters := range map[string][]string{a.names.Grants: GrantFilters(), a.names.Connections: ConnectionFilters()} {
		records := recorded(a.t, a.server, table)
		if failed := a.handle(records[a.told[table]:], filters); failed != "" {
			a.t.Errorf("%s is to be repeated", failed)
		}
		a.told[table] = len(records)
	}
	published := a.topics.Messages(topic)
	for _, text := range published[a.read:] {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			a.t.Fatal(err)
		}
		all = append(all, m)
	}
	a.read = len(published)
	return all
}

// A connection is announced when it, or the grant that it holds, begins to need attention, and at no other change. The
// announcement lacks the pair.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t)
	const mine, other = procoretest.MyConstruction, procoretest.HarborHill
	connection := func(company int64, state, was, webhooks string) map[string]any {
		return map[string]any{"company": fmt.Sprint("custom#", company), "principal": string(joe), "state": state, "was": was, "webhooks": webhooks}
	}
	grant := func(generation, was string, companies ...any) map[string]any {
		return map[string]any{"grant": "custom#" + string(joe), "companies": companies, "state": "reauthorize", "was": was, "generation": generation}
	}
	for _, step := range []struct {
		what string
		do   func() error
		want map[string]any // nil: nothing is announced
	}{
		{"authorized", a.authorize, nil},
		{"refused while no company needs the grant", func() error { return a.refresh(true) }, nil},
		{"authorized again", a.authorize, nil},
		{"connected", func() error { return a.connect(mine) }, nil},
		{"another company", func() error { return a.connect(other) }, nil},
		{"an admin has to act", func() error { return a.webhooks(mine, connections.WebhooksNeedsAdmin) }, connection(mine, "connected", "connected", "needs_admin")},
		{"still", func() error { return a.webhooks(mine, connections.WebhooksNeedsAdmin) }, nil},
		{"no longer", func() error { return a.webhooks(mine, connections.WebhooksActive) }, nil},
		{"refreshed", func() error { return a.refresh(false) }, nil},
		{"disconnected", func() error { return a.disconnect(mine) }, connection(mine, "disconnected", "connected", "active")},
		{"checked", func() error { return a.webhooks(mine, connections.WebhooksActive) }, nil},
		{"connected again", func() error { return a.connect(mine) }, nil},
		{"refused", func() error { return a.refresh(true) }, grant("3", "active", fmt.Sprint(other), fmt.Sprint(mine))},
		{"disconnected while its grant is refused", func() error { return a.disconnect(other) }, connection(other, "disconnected", "connected", "pending")},
		{"ended while its grant is refused", func() error { return a.connections.End(t.Context(), keyOf(other), "on purpose") }, nil},
		{"authorized a third time", a.authorize, nil},
		{"the last one ended", func() error { return a.connections.End(t.Context(), keyOf(mine), "on purpose") }, nil},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		var want []map[string]any
		if step.want != nil {
			want = append(want, step.want)
		}
		if d := cmp.Diff(a.messages(), want); d != "" {
			t.Errorf("%s: messages (-got +want):\n%s", step.what, d)
		}
	}
}

// What the topic refuses is repeated, with everything behind it.
func TestTopicFails(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t)
	for _, step := range []func() error{
		a.authorize, func() error { return a.connect(procoretest.MyConstruction) }, func() error { return a.connect(procoretest.HarborHill) },
		func() error { return a.disconnect(procoretest.MyConstruction) }, func() error { return a.disconnect(procoretest.HarborHill) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	records := recorded(t, a.server, a.names.Connections)
	a.topics.Fail(&awstest.Error{Code: "Throttled", Message: "on purpose"})
	failed := a.handle(records, ConnectionFilters())
	if failed == "" || len(a.topics.Messages(topic)) > 0 || !strings.Contains(a.log.String(), "Throttled") {
		t.Errorf("to be repeated from %q, %d messages, log %s", failed, len(a.topics.Messages(topic)), a.log.String())
	}
	a.topics.Fail(nil)
	at := len(records)
	for n, r := range records {
		if strings.Contains(string(r), `"SequenceNumber":"`+failed+`"`) {
			at = n
		}
	}
	if failed := a.handle(records[at:], ConnectionFilters()); failed != "" || len(a.topics.Messages(topic)) != 2 {
		t.Errorf("then to be repeated from %q, %d messages, want both", failed, len(a.topics.Messages(topic)))
	}
}

// A heartbeat goes through each of the two streams to the announcer, and no further. It
// counts when everything before it was announced.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t)
	beats := func() string {
		var all []string
		for line := range strings.Lines(a.log.String()) {
			var l struct {
				Msg, Table string
				Lag        float64 `json:"lag_s"`
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			if l.Msg == "heartbeat announced" {
				all = append(all, fmt.Sprint(l.Table, " ", l.Lag))
			}
		}
		slices.Sort(all)
		a.log.Reset()
		return strings.Join(all, ", ")
	}
	pass := func(filters map[string][]string) {
		for table, filters := range filters {
			records := recorded(t, a.server, table)
			passed := slices.DeleteFunc(slices.Clone(records[a.told[table]:]), func(r json.RawMessage) bool {
				var decoded any
				err := json.Unmarshal(r, &decoded)
				ok, wrong := streamtest.Matches(filters, decoded)
				if err := errors.Join(err, wrong); err != nil {
					t.Fatal(err)
				}
				return !ok
			})
			a.told[table] = len(records)
			a.handle(passed, filters)
		}
	}
	streams := map[string][]string{a.names.Grants: GrantFilters(), a.names.Connections: ConnectionFilters()}
	a.now = a.now.Truncate(time.Millisecond)
	for range 2 { // a new row, and then a changed one
		if err := heartbeat.Write(t.Context(), a.connections); err != nil {
			t.Fatal(err)
		}
		a.now = a.now.Add(1500 * time.Millisecond)
		pass(streams)
		if got, want := beats(), "connections 1.5, grants 1.5"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if err := errors.Join(a.authorize(), a.connect(procoretest.MyConstruction), a.disconnect(procoretest.MyConstruction), heartbeat.Write(t.Context(), a.connections)); err != nil {
		t.Fatal(err)
	}
	a.topics.Fail(&awstest.Error{Code: "Throttled", Message: "on purpose"})
	pass(streams)
	if got := beats(); got != "grants 0" || len(a.topics.Messages(topic)) > 0 {
		t.Errorf("while an announcement fails: got %q, want that of grants alone", got)
	}
}

// An announcement, and a log line about it, has no part of a pair.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	record := `{"eventName":"MODIFY","dynamodb":{"SequenceNumber":"1",
		"NewImage":{"grant":{"S":"custom#user#1"},"state":{"S":"reauthorize"},"holders":{"SS":["5678"]},"generation":{"N":"2"},"sealed":{"B":"c2VjcmV0"},"fingerprint":{"S":"secret"}},
		"OldImage":{"state":{"S":"active"},"sealed":{"B":"c2VjcmV0"}}}}`
	a := newAnnounced(t)
	a.handle([]json.RawMessage{json.RawMessage(record)}, GrantFilters())
	said := strings.Join(a.topics.Messages(topic), "") + a.log.String()
	if !strings.Contains(said, "custom#user#1") || strings.Contains(said, "ecret") || strings.Contains(said, "c2Vj") {
		t.Errorf("said %s", said)
	}
}
