package provision

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// A pass that finds the hook and then fails leaves its id to the next one, and to a person who has to delete it by hand.
func TestHookFoundBeforeFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	key := w.Reconciler.Store.Row(strconv.FormatInt(company, 10), hookRow)
	if err := dynamo.Write(t.Context(), w.DB, new(dynamo.Expression).Delete(w.Tables.Connections, key)); err != nil {
		t.Fatal(err)
	}
	triggers := fmt.Sprintf("/rest/v2.0/companies/%d/webhooks/hooks/%s/triggers", company, w.id())
	if err := w.Procore.Fault(procoretest.Fault{Endpoint: triggers, Kind: procoretest.Status, Status: 502}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Reconcile(t.Context(), company); !errors.Is(err, procore.ErrUnavailable) {
		t.Errorf("got %v, want a pass that fails", err)
	}
	if row, err := w.Row(t.Context(), company); err != nil || row.HookID != w.id() || row.Creator != tokens.User(joe) {
		t.Errorf("got %+v, %v", row.Memory, err)
	}
	w.reconcile(connections.WebhooksActive)
	w.hook()
}
