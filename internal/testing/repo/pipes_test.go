package repo

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// recorded is a table whose changes are read from its stream.
type recorded struct {
	t      *testing.T
	server *dynamotest.Server
	db     *dynamodb.Client
	names  tables.Names
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	server := dynamotest.New()
	db := dynamotest.Client(server.Start(t))
	r := &recorded{t: t, server: server, db: db, names: tables.CreateForTest(t, db)}
	in := tables.Connections("with-a-stream") // as on AWS; old images are added by records
	in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage}
	if _, err := db.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	r.names.Connections = "with-a-stream"
	return r
}

// records returns all changes of a table so far, with the images before and after.
func (r *recorded) records(table string) (all []map[string]any) {
	r.t.Helper()
	feed, err := r.server.Feed(r.t.Context(), table, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	last := make(map[string]json.RawMessage)
	for _, change := range feed {
		record, err := json.Marshal(map[string]any{"eventName": change.Event, "dynamodb": map[string]any{
			"Keys": change.Keys, "NewImage": change.NewImage, "OldImage": last[string(change.Keys)],
		}})
		if err != nil {
			r.t.Fatal(err)
		}
		last[string(change.Keys)] = change.NewImage
		all = append(all, object(r.t, string(record)))
	}
	return all
}

// The pipe sends each event once, and sends nothing that is quarantined.
func TestEventsPipe(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	box := &inbox.Store{DB: r.db, Table: r.names.Inbox}
	body := []byte(read(t, "events/payloads/webhook-v2.json"))
	event, err := procore.DecodeEvent(body)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := box.Add(t.Context(), event, body); err != nil {
			t.Fatal(err)
		}
		if _, err := box.Quarantine(t.Context(), event.CompanyID, "a reason", []byte("?")); err != nil {
			t.Fatal(err)
		}
	}
	p := pipeOf(t, "EventsPipe")
	var got []string
	for _, record := range r.records(r.names.Inbox) {
		if message, ok := p.message(record); ok {
			got = append(got, message)
		}
	}
	want, err := procore.EncodeEvent(event)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, []string{string(want)}); d != "" {
		t.Errorf("messages (-got +want):\n%s", d)
	}
}

// A connection is announced when it begins to need attention, and at no other change. The announcement lacks its pair.
func TestAnnouncementsPipe(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	p := pipeOf(t, "AnnouncementsPipe")
	fake := procoretest.Start(t)
	env, err := procore.ParseEnvironment("custom", fake.URL, fake.URL)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := tokens.ParseKeys(`{"current":"k1","k1":"fake-seal-key-0123456789-0123456789-0123456789"}`)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s := &tokens.Store{
		DB: r.db, Connections: r.names.Connections, Spends: r.names.Spends, Log: slog.New(slog.DiscardHandler), Clock: procore.Clock{Time: func() time.Time { return now }},
		Keys:  secrettest.Constant(keys),
		OAuth: secrettest.Constant(&procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}),
	}
	const redirectURI = "http://127.0.0.1:3000/oauth/callback"
	key := tokens.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.User(procoretest.Joe)}
	connect := func() {
		pair := fake.Token(t, procoretest.Joe, redirectURI)
		_, _, err := s.Connect(t.Context(), tokens.Authorization{
			Key: key, Environment: env.Name, RedirectURI: redirectURI, CompanyName: "A Company", UserName: "A User", Webhooks: tokens.WebhooksPending,
			Pair: procore.Token{AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken), Expiry: now.Add(time.Hour)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	webhooks := func(w tokens.Webhooks) {
		c, err := s.Connection(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		if _, _, err := s.SetWebhooks(t.Context(), c, w, now); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	steps := []struct {
		what string
		do   func()
		want string // generation, state, was, webhooks; "": nothing is announced
	}{
		{"connected", connect, ""},
		{"an admin has to act", func() { webhooks(tokens.WebhooksNeedsAdmin) }, "1 active active needs_admin"},
		{"still", func() { webhooks(tokens.WebhooksNeedsAdmin) }, ""},
		{"no more", func() { webhooks(tokens.WebhooksActive) }, ""},
		{"refreshed", func() { _, err = s.Refresh(t.Context(), key, 24*time.Hour) }, ""},
		{"disconnected", func() { err = s.Disconnect(t.Context(), key, 2) }, "2 disconnected active active"},
		{"looked at", func() { webhooks(tokens.WebhooksActive) }, ""},
		{"connected again", connect, ""},
		{"refused", func() {
			if err := fake.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`, Times: 1}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Refresh(t.Context(), key, 24*time.Hour); err == nil {
				t.Error("the refresh was not refused")
			}
		}, "3 reauthorize active pending"},
		{"revoked", func() { err = s.Revoke(t.Context(), key, "on purpose") }, ""},
	}
	for _, step := range steps {
		err = nil
		step.do()
		if err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		records := r.records(r.names.Connections)
		var got, want []map[string]any
		for _, record := range records[told:] {
			if message, ok := p.message(record); ok {
				got = append(got, object(t, message))
			}
		}
		told = len(records)
		if step.want != "" {
			words := strings.Fields(step.want)
			want = []map[string]any{{
				"company_id": "5678", "principal": "user#1234567", "generation": words[0], "state": words[1], "was": words[2], "webhooks": words[3],
			}}
		}
		if d := cmp.Diff(got, want); d != "" {
			t.Errorf("%s: messages (-got +want):\n%s", step.what, d)
		}
	}
}
