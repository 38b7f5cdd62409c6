//go:build !race

package handler

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// lambdaTime is the function's timeout in template.yaml.
const lambdaTime = 240 * time.Second

// manyCompanies returns a refresher whose storage needs no network.
func manyCompanies(t *testing.T) *refresher {
	t.Helper()
	w := functiontest.New(t)
	w.DB = inProcessClient(dynamotest.New())
	w.Tables = tables.CreateForTest(t, w.DB)
	return refresherIn(t, w)
}

// scheduled connects n companies by the service account, whose check is due in the time
// from now, and returns the id after the last one's.
func (r *refresher) scheduled(first int64, n int, to connections.Webhooks, in func(i int) time.Duration) (next int64) {
	r.t.Helper()
	for i := range n {
		k := connections.Key{CompanyID: first + int64(i), Principal: tokens.App}
		err := r.h.store.AddServiceAccount(r.t.Context(), k.CompanyID, "One of Many", connections.WebhooksPending)
		if err != nil {
			r.t.Fatal(err)
		}
		c, err := r.h.store.Connection(r.t.Context(), k)
		if err == nil {
			_, _, err = r.h.store.SetWebhooks(r.t.Context(), c, to, r.Clock.Now().Add(in(i)))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return first + int64(n)
}

// atProcore adds the companies from first until before next to Procore.
func (r *refresher) atProcore(first, next int64) {
	r.t.Helper()
	for id := first; id < next; id++ {
		company := procoretest.NewCompany(id, "One of Many", procoretest.Max)
		company.ServiceAccount, company.Installed = true, true
		if err := r.Procore.AddCompany(company); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Of 20,000 companies 5,000 are due for a routine check, and the rate limit of 50 is used
// up, half of which are new too. A company that is connected now has its hook within one
// run of the function: before it Procore is called for those alone that were as urgent.
func TestNewCustomerAmongTwentyThousand(t *testing.T) {
	t.Parallel()
	r := manyCompanies(t)
	const due, limited = 5_000, 25
	begin := int64(100_000)
	routine := r.scheduled(begin, limited+due, connections.WebhooksActive, func(i int) time.Duration { return time.Duration(i-limited-due) * time.Second })
	pending := r.scheduled(routine, limited, connections.WebhooksPending, func(int) time.Duration { return 0 })
	r.atProcore(begin, pending)
	r.scheduled(pending, 20_000-due-2*limited-1, connections.WebhooksActive, func(i int) time.Duration { return time.Duration(1+i) * time.Second })
	for i := range int64(limited) {
		for _, id := range []int64{begin + i, pending - 1 - i} {
			r.ProcoreFails(procoretest.Fault{
				Endpoint: "api", CompanyID: id, Kind: procoretest.Status, Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "1800"}, Times: 99,
			})
		}
	}
	customer := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)

	ctx, cancel := context.WithTimeout(t.Context(), lambdaTime)
	defer cancel()
	start := time.Now()
	if _, err := r.h.handle(ctx, Input{Task: "housekeeping"}); err != nil {
		t.Fatal(err)
	}
	t.Logf("the run took %v", time.Since(start).Round(time.Millisecond))
	r.wantWebhooks(customer, connections.WebhooksActive, provision.Recheck)
	passes := r.Log.Lines(t, "hook reconciled")
	at := slices.IndexFunc(passes, func(line map[string]any) bool { return line["company_id"] == float64(customer.CompanyID) })
	if at < 0 || at > limited+defaultPasses {
		t.Errorf("%d companies were checked before the new customer's, want %d at most", at, limited+defaultPasses)
	}
	if len(passes) != due+2*limited+1 {
		t.Errorf("%d companies were checked, want %d", len(passes), due+2*limited+1)
	}
	if got := len(r.Log.Lines(t, "rate limited, the companies of this owner wait")); got != 2*limited {
		t.Errorf("%d companies wait for a limit, want %d", got, 2*limited)
	}
	r.wantMetric("OldestCheckSeconds", 0, 1)
}

// Of 2,400 companies 800 are due. The runs of all shares at once check each of them once, and a new customer's before all
// others of its share.
func TestSharesOfManyCompanies(t *testing.T) {
	t.Parallel()
	r := manyCompanies(t)
	const due = 800
	first := int64(100_000)
	next := r.scheduled(first, due, connections.WebhooksActive, func(i int) time.Duration { return time.Duration(i-due) * time.Second })
	r.atProcore(first, next)
	r.scheduled(next, 1_600, connections.WebhooksActive, func(i int) time.Duration { return time.Duration(1+i) * time.Hour })
	customer := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)

	ctx, cancel := context.WithTimeout(t.Context(), lambdaTime)
	defer cancel()
	start := time.Now()
	r.together(func(one *refresher, minute int) {
		if err := one.at(ctx, "housekeeping", minute); err != nil {
			t.Errorf("minute %d: %v", minute, err)
		}
	})
	t.Logf("the runs took %v", time.Since(start).Round(time.Millisecond))
	times, before := make(map[string]int), -1
	for i, line := range r.Log.Lines(t, "hook reconciled") {
		id := fmt.Sprint(line["company_id"])
		if times[id]++; times[id] > 1 {
			t.Errorf("company %s was checked %d times", id, times[id])
		}
		if line["company_id"] == float64(customer.CompanyID) {
			before = i
		}
	}
	if len(times) != due+1 {
		t.Errorf("%d companies were checked, want %d", len(times), due+1)
	}
	if most := maxShares * defaultPasses; before < 0 || before > most {
		t.Errorf("%d companies of all shares were checked before the new customer's, want %d at most", before, most)
	}
	r.wantWebhooks(customer, connections.WebhooksActive, provision.Recheck)
}
