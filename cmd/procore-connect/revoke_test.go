package main

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/operator"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// two has a company of two users, one of whom also has another company, with a webhook and an event.
func two(t *testing.T) *world {
	t.Helper()
	w := hooked(t)
	w.Authorize(procoretest.Joe)
	w.Authorize(procoretest.Ann)
	w.connect(procoretest.MyConstruction, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksPending)
	w.connect(5679, procoretest.Joe, "Second Construction Co.", "Joe Builder", connections.WebhooksPending)
	w.connect(procoretest.MyConstruction, procoretest.Ann, "My Construction Co.", "Ann Admin", connections.WebhooksPending)
	if _, aside, code := w.run("webhooks", "sync", "5678", "--yes"); code != exitOK {
		t.Fatal(aside)
	}
	w.event(procoretest.MyConstruction)
	return w
}

// hooks returns how many hooks the fake Procore has.
func (w *world) hooks() int { return len(w.Procore.State().Hooks) }

// A revocation takes the connections, the hook with the last one, and the grants that no other company needs.
func TestRevoke(t *testing.T) {
	t.Parallel()
	w := two(t)
	wants(t, w, "revoke-none", "revoke", "99", "--yes")
	wants(t, w, "revoke-no-such-user", "revoke", "5678", "--user", "12", "--yes")
	wants(t, w, "revoke-unasked", "revoke", "5678")
	wants(t, w, "revoke-user", "revoke", "5678", "--user", "2345678", "--yes")
	if got := w.Grant(tokens.User(procoretest.Ann)).State; got != tokens.Revoked || w.hooks() != 1 {
		t.Errorf("Ann's grant is %s, and there are %d hooks; want a revoked grant and the hook", got, w.hooks())
	}
	w.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 503, Times: 100})
	wants(t, w, "revoke-outage", "revoke", "5678", "--yes")
	w.Procore.ClearFaults()
	wants(t, w, "revoke-all", "revoke", "5678", "--yes")
	if got := w.Grant(tokens.User(procoretest.Joe)); got.State != tokens.Active || got.HeldBy("5678") || w.hooks() != 0 {
		t.Errorf("Joe's grant is %s of %v, and there are %d hooks; want it for the other company alone, and no hook", got.State, got.Holders, w.hooks())
	}
	wants(t, w, "revoke-again", "revoke", "5678", "--yes")
}

// An erasure leaves nothing that names the company in any table, but what the receipt says.
func TestErase(t *testing.T) {
	t.Parallel()
	w := two(t)
	w.Clock.Advance(time.Minute)
	w.Fault(func(operation string, _ []byte) (f dynamotest.Fault) {
		if operation == "DeleteItem" {
			f.Code = "AccessDeniedException"
		}
		return f
	})
	wants(t, w, "erase-interrupted", "erase", "5678", "--yes")
	w.Fault(nil)
	s := &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}
	if _, err := s.Quarantine(t.Context(), procoretest.MyConstruction, "no id", []byte(`{"company_id":5678}`)); err != nil {
		t.Fatal(err)
	}
	wants(t, w, "erase", "erase", "5678", "--yes")
	wants(t, w, "erase-again", "erase", "5678", "--yes")
	for _, table := range []string{w.Tables.Connections, w.Tables.Inbox, w.Tables.Grants, w.Tables.Spends, w.Tables.Sessions} {
		out, err := w.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range out.Items {
			text, err := json.Marshal(item)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "5678") && !strings.Contains(string(text), "user#2345678") || strings.Contains(string(text), "My Construction") {
				t.Errorf("%s still has %s", table, text)
			}
		}
	}
	if left := w.Connection(connections.Key{CompanyID: 5679, Principal: tokens.User(procoretest.Joe)}); left.State != connections.Connected {
		t.Errorf("the other company is %s", left.State)
	}
}

// A company that is connected again just before its row is deleted is not erased.
func TestEraseOfAConnectedCompany(t *testing.T) {
	t.Parallel()
	w := two(t)
	o, err := operator.Open(t.Context(), operator.Target{Local: w.addr, Clock: w.Clock.Seam()})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	w.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "DeleteItem" && strings.Contains(string(body), w.Tables.Connections) && strings.Contains(string(body), "user#1234567") {
			once.Do(func() {
				w.connect(procoretest.MyConstruction, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksPending)
			})
		}
		return dynamotest.Fault{}
	})
	if _, err := o.Erase(t.Context(), procoretest.MyConstruction, "test", nil); err == nil || !strings.Contains(err.Error(), connections.ErrInUse.Error()) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	if c := w.Connection(connections.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.User(procoretest.Joe)}); c.State != connections.Connected {
		t.Errorf("the new connection is %s", c.State)
	}
}

// A company can be revoked on a day on which its events cannot be read.
func TestRevokeWithoutInbox(t *testing.T) {
	t.Parallel()
	w := two(t)
	w.Fault(func(operation string, body []byte) (f dynamotest.Fault) {
		if operation == "Query" && strings.Contains(string(body), w.Tables.Inbox) {
			f.Code = "AccessDeniedException"
		}
		return f
	})
	if _, aside, code := w.run("revoke", "5678", "--yes"); code != exitOK {
		t.Errorf("exit code %d: %s", code, aside)
	}
}
