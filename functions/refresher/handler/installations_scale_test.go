//go:build !race

package handler

import (
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/upkeep/installations"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// The app has one grant for all companies, and that row stays cool: ten thousand companies'
// clients in one process read it once in five minutes, and write it once in a token's
// lifetime, by one claim and one store. Finding all of them takes a few pages of the list,
// and once they are connected, one read of an index.
func TestTenThousandInstallations(t *testing.T) {
	t.Parallel()
	const companies = 10_000
	w, storage := functiontest.New(t), dynamotest.New()
	w.DB = inProcessClient(storage)
	w.Tables = tables.CreateForTest(t, w.DB)
	var mu sync.Mutex
	grant, all := map[string]int{}, map[string]int{}
	storage.Intercept(func(operation string, body []byte) dynamotest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(string(body), `#heartbeat"`) {
			return dynamotest.Fault{}
		}
		all[operation]++
		if strings.Contains(string(body), `#app"`) && strings.Contains(string(body), w.Tables.Grants) {
			grant[operation]++
		}
		return dynamotest.Fault{}
	})
	r := refresherIn(t, w)
	r.h.installations = &installations.Watch{Store: r.h.store, Departures: r.h.departures, Allowed: config.Companies{All: true}, Log: r.Log.Logger}
	ids := r.installations(1_000_000, companies)
	begun := time.Now()
	r.housekeeping(0)
	took := time.Since(begun)
	if got := r.Requests("GET /rest/v1.0/companies"); got != 5 {
		t.Errorf("the list took %d calls, want 5 pages", got)
	}
	clear(all)
	r.housekeeping(5 * time.Minute)
	if all["UpdateItem"] > 0 || all["GetItem"] > 10 {
		t.Errorf("a run without changes made %v, want no write and a few reads", all)
	}

	consumer := r.Store()
	r.Clock.Advance(3 * time.Hour) // the token that housekeeping used has expired
	fetched := r.Requests("POST /oauth/token")
	clear(grant)
	var calls errgroup.Group
	calls.SetLimit(32)
	for _, id := range ids {
		calls.Go(func() error {
			_, err := procore.Collect(consumer.Client(app(id)).Projects(t.Context()))
			return err
		})
	}
	if err := calls.Wait(); err != nil {
		t.Fatal(err)
	}
	fetches := r.Requests("POST /oauth/token") - fetched
	t.Logf("%d companies connected in %v; then %d calls: %d token requests, on the grant's row %v", companies, took.Round(time.Millisecond), companies, fetches, grant)
	if fetches != 1 {
		t.Errorf("%d companies' calls fetched %d tokens, want 1", companies, fetches)
	}
	if reads, writes := grant["GetItem"], grant["UpdateItem"]+grant["TransactWriteItems"]; reads > 3 || writes > 2 {
		t.Errorf("the grant's row had %d reads and %d writes, want at most 3 and 2", reads, writes)
	}
	if g := r.Grant(tokens.App); g.State != tokens.Active {
		t.Errorf("the app's grant is %s", g.State)
	}
}
