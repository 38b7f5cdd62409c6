package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// grants is how many there are; so many of them are due in a run.
const (
	grants = 100_000
	due    = 1_000
)

// BenchmarkRefresh is one run of the refresh task among 100,000 grants, of
// which 1,000 are due: go test -run '^$' -bench Refresh -benchtime 1x ./functions/refresher
func BenchmarkRefresh(b *testing.B) {
	db := dynamotest.Client(dynamotest.New().Start(b))
	names := tables.CreateForTest(b, db)
	fill(b, db, names.Grants)
	for _, latency := range []time.Duration{0, 150 * time.Millisecond} {
		b.Run(fmt.Sprint("Procore answers in ", latency), func(b *testing.B) {
			p := procoretest.Start(b)
			h := scaled(b, db, names, p.URL)
			for b.Loop() {
				b.StopTimer()
				authorize(b, h, p)
				if latency > 0 {
					delay := procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: latency.Milliseconds(), Times: due + 1}
					if err := p.Fault(delay); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if err := h.refresh(b.Context(), whole); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(due*float64(b.N)/b.Elapsed().Seconds(), "grants/s")
		})
	}
}

// fill writes rows that are not due.
func fill(b *testing.B, db *dynamodb.Client, table string) {
	b.Helper()
	later := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	for i := range grants - due {
		_, err := db.PutItem(b.Context(), &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{
			"grant":     &types.AttributeValueMemberS{Value: fmt.Sprint("custom#user#", 1_000_000+i)},
			"due_shard": &types.AttributeValueMemberS{Value: fmt.Sprint("custom#", i%tokens.Shards)},
			"due_at":    &types.AttributeValueMemberN{Value: later},
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// authorize makes the grants that are due.
func authorize(b *testing.B, h *handler, p *procoretest.Server) {
	b.Helper()
	for i := range due {
		pair, user := p.Token(b, procoretest.Joe, "http://127.0.0.1/callback"), tokens.User(int64(1+i))
		_, err := h.tokens.Authorize(b.Context(), tokens.Authorization{
			Principal:   user,
			Pair:        procore.Token{AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken), Expiry: time.Now().Add(time.Minute)},
			RedirectURI: "http://127.0.0.1/callback",
		})
		if err == nil {
			_, err = h.store.Connect(b.Context(), connections.New{Key: connections.Key{CompanyID: 1, Principal: user}})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func scaled(b *testing.B, db *dynamodb.Client, names tables.Names, url string) *handler {
	b.Helper()
	env, err := procore.ParseEnvironment("custom", url, url)
	if err != nil {
		b.Fatal(err)
	}
	secret, err := json.Marshal(map[string]string{"current": "k1", "k1": rand.Text() + rand.Text()})
	if err != nil {
		b.Fatal(err)
	}
	ring, err := keys.Parse(string(secret))
	if err != nil {
		b.Fatal(err)
	}
	oauth := &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}
	quiet := slog.New(slog.DiscardHandler)
	h := &handler{log: quiet, tokens: &tokens.Store{
		DB: db, Grants: names.Grants, Spends: names.Spends, Environment: env, Log: quiet,
		Keys: secrettest.Constant(ring), OAuth: secrettest.Constant(oauth),
	}}
	h.store = &connections.Store{DB: db, Table: names.Connections, Tokens: h.tokens, Log: quiet}
	h.departures = &departures.Watch{Store: h.store, Log: quiet}
	return h
}

// companies is how many companies are due for a routine check, more than a run makes in
// runFor.
const (
	companies = 4_000
	runFor    = 20 * time.Second
)

// BenchmarkChecks is how many routine checks a run makes if each call takes 150 ms:
// go test -run '^$' -bench Checks -benchtime 1x ./functions/refresher
func BenchmarkChecks(b *testing.B) {
	db := dynamotest.Client(dynamotest.New().Start(b))
	p := procoretest.Start(b)
	h := scaled(b, db, tables.CreateForTest(b, db), p.URL)
	h.hooks = reconciler(b, h)
	for id := int64(1); id <= companies; id++ {
		company := procoretest.NewCompany(id, "A Company", procoretest.Joe)
		company.ServiceAccount, company.Installed = true, true
		err := p.AddCompany(company)
		if err == nil {
			err = h.store.AddServiceAccount(b.Context(), id, company.Name, connections.WebhooksPending)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := h.checks(b.Context(), whole); err != nil { // makes the hooks
		b.Fatal(err)
	}
	if err := p.Fault(procoretest.Fault{Endpoint: "api", Kind: procoretest.Delay, DelayMS: 150, Times: 1_000_000}); err != nil {
		b.Fatal(err)
	}
	for _, h.passes = range []int{1, 8, 16, 32, 64} {
		b.Run(fmt.Sprint(h.passes, " at once"), func(b *testing.B) {
			made := 0
			for b.Loop() {
				b.StopTimer()
				begin := time.Now().Truncate(time.Second)
				dueAgain(b, h, begin)
				b.StartTimer()
				ctx, cancel := context.WithTimeout(b.Context(), runFor+reserve)
				if err := h.checks(ctx, whole); err != nil {
					b.Fatal(err)
				}
				cancel()
				b.StopTimer()
				made += companies - len(stillDue(b, h, begin))
				b.StartTimer()
			}
			perSecond := float64(made) / b.Elapsed().Seconds()
			b.ReportMetric(perSecond, "checks/s")
			b.ReportMetric(perSecond*(240*time.Second-reserve).Seconds(), "checks/run")
		})
	}
}

// reconciler returns that of a deployment with three triggers.
func reconciler(b *testing.B, h *handler) *provision.Reconciler {
	b.Helper()
	ring, err := credential.Parse(`{"current":"k1","k1":"` + rand.Text() + rand.Text() + `"}`)
	if err != nil {
		b.Fatal(err)
	}
	return &provision.Reconciler{
		Store: h.store, Ring: secrettest.Constant(ring), Log: h.log, Recovery: &recovery.Recoverer{Inbox: &inbox.Store{DB: h.store.DB, Table: h.store.Table}, Log: h.log},
		Want: provision.Config{Namespace: "our-app", URL: ourURL, PayloadVersion: "v2.0", Triggers: []procore.Trigger{
			{Resource: "RFIs", EventType: "create"}, {Resource: "RFIs", EventType: "update"}, {Resource: "Company Users", EventType: "update"},
		}},
	}
}

// dueAgain makes the checks of all companies due.
func dueAgain(b *testing.B, h *handler, at time.Time) {
	b.Helper()
	for id := int64(1); id <= companies; id++ {
		c, err := h.store.Connection(b.Context(), connections.Key{CompanyID: id, Principal: tokens.App})
		if err == nil {
			_, _, err = h.store.SetWebhooks(b.Context(), c, connections.WebhooksActive, at)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// stillDue returns the connections whose check is due since this time.
func stillDue(b *testing.B, h *handler, since time.Time) (all []connections.Key) {
	b.Helper()
	for key, err := range h.turns(b.Context(), whole, since.Add(time.Second), connections.First, connections.Routine) {
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, key)
	}
	return all
}
