package handler

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
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

// BenchmarkRefresh is a run of the refresh task among 100,000 grants, of which 1,000 are due,
// and several runs at once, each of its own share, with 1,000 due for each:
// go test -run '^$' -bench Refresh -benchtime 1x ./functions/refresher/handler
func BenchmarkRefresh(b *testing.B) {
	storage := dynamotest.New()
	names := tables.CreateForTest(b, inProcessClient(storage))
	fill(b, inProcessClient(storage), names.Grants)
	db := dynamotest.Client(storage.Start(b))
	for _, test := range []struct {
		latency        time.Duration
		window, shares int
	}{
		{0, 10, 1},
		{150 * time.Millisecond, 10, 1}, {150 * time.Millisecond, 20, 1},
		{150 * time.Millisecond, 10, 2}, {150 * time.Millisecond, 10, 4},
	} {
		b.Run(fmt.Sprintf("latency=%v/window=%d/shares=%d", test.latency, test.window, test.shares), func(b *testing.B) {
			p, all := procoretest.Start(b), due*test.shares
			runs := make([]*handler, test.shares)
			for i := range runs {
				runs[i] = scaled(b, db, names, p.URL, nil)
				runs[i].window, runs[i].tokens.Keys = test.window, runs[0].tokens.Keys
			}
			for b.Loop() {
				b.StopTimer()
				authorize(b, runs[0], p, all)
				if test.latency > 0 {
					delay := procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: test.latency.Milliseconds(), Times: all + test.shares}
					if err := p.Fault(delay); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				var together sync.WaitGroup
				for i, h := range runs {
					together.Go(func() {
						if err := h.refresh(b.Context(), share{i, test.shares}); err != nil {
							b.Error(err)
						}
					})
				}
				together.Wait()
			}
			b.ReportMetric(float64(all*b.N)/b.Elapsed().Seconds(), "grants/s")
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

// authorize makes n grants that are due.
func authorize(b testing.TB, h *handler, p *procoretest.Server, n int) {
	b.Helper()
	for i := range n {
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

// scaled returns a handler with what refreshes and checks need. dial may be nil.
func scaled(b testing.TB, db *dynamodb.Client, names tables.Names, url string, dial procore.Dial) *handler {
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
	oauth := &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"), Dial: dial}
	quiet := slog.New(slog.DiscardHandler)
	h := &handler{log: quiet, tokens: &tokens.Store{
		DB: db, Grants: names.Grants, Spends: names.Spends, Environment: env, Log: quiet,
		Keys: secrettest.Constant(ring), OAuth: secrettest.Constant(oauth), Dial: dial,
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
// go test -run '^$' -bench Checks -benchtime 1x ./functions/refresher/handler
func BenchmarkChecks(b *testing.B) {
	db := dynamotest.Client(dynamotest.New().Start(b))
	p := procoretest.Start(b)
	h := scaled(b, db, tables.CreateForTest(b, db), p.URL, nil)
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
