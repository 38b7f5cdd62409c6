package provision

import (
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
)

// A company whose row of reconciliation was lost, by a script or because a backup is older, has a turn again after the
// next pass. A row that is there keeps its turn, and without triggers none is made.
func TestReconciliationScheduledAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	due := func(want bool) {
		t.Helper()
		all, err := procore.Collect(w.Reconciler.Store.Due(t.Context(), connections.Reconciliation, w.Clock.Now().Add(time.Second)))
		if got := len(all) == 1 && all[0].CompanyID == company; err != nil || got != want || len(all) > 1 {
			t.Fatalf("got %v, %v, want a turn: %t", all, err, want)
		}
	}
	key := w.Reconciler.Store.Row(strconv.FormatInt(company, 10), string(connections.Reconciliation))
	lost := new(dynamo.Expression).Delete(w.Tables.Connections, key)
	write := func(i types.TransactWriteItem) {
		t.Helper()
		if err := dynamo.Write(t.Context(), w.DB, i); err != nil {
			t.Fatal(err)
		}
	}
	w.reconcile(connections.WebhooksActive)
	due(true)
	later := w.Reconciler.Store.InTurn(connections.Reconciliation, company, w.Clock.Now().Add(time.Hour))
	write(new(dynamo.Expression).Set(later).Update(w.Tables.Connections, key))
	w.reconcile(connections.WebhooksActive)
	due(false)
	write(lost)
	began, err := w.Row(t.Context(), company)
	if err != nil {
		t.Fatal(err)
	}
	w.reconcile(connections.WebhooksActive)
	due(true)
	if row, err := w.Row(t.Context(), company); err != nil || !row.Since.Equal(began.Since) {
		t.Errorf("changes are reported since %v, %v, want %v", row.Since, err, began.Since)
	}
	write(lost)
	w.Want.Triggers = nil
	w.reconcile(connections.WebhooksOff)
	due(false)
}
