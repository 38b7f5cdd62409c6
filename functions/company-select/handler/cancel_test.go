package handler

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// A user who cancels connects nothing: no company is called, the same form no longer
// chooses one, and half an hour later housekeeping finds the grant to revoke.
func TestCancel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	cancel := v.form("")
	cancel.Set(pages.FieldCancel, "1")
	for range 2 { // a double click, or the page loaded again
		v.Post("/companies", cancel)
		v.list().Wants(http.StatusGone, "Nothing was connected", "Connect again")
	}
	v.Post("/companies", form).Wants(http.StatusGone, "Nothing was connected")
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "is ready to connect")
	s.wantEntered()
	s.Clock.Advance(30 * time.Minute)
	s.housekeeping()
	s.wantRefreshTokens(procoretest.Live)
	s.Clock.Advance(2 * time.Second)
	s.housekeeping()
	s.wantRefreshTokens(procoretest.Revoked)
	if got := s.Grant(tokens.User(procoretest.Joe)).State; got != tokens.Revoked {
		t.Errorf("the grant is %s, want revoked", got)
	}
	v.list().Wants(http.StatusGone, "Nothing was connected")
}

// Canceling needs the form as choosing does, and changes nothing once connected.
func TestCancelRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	cancel := v.form("")
	cancel.Set(pages.FieldCancel, "1")
	token := cancel.Get(pages.FieldCSRF)
	cancel.Set(pages.FieldCSRF, "guessed")
	v.Post("/companies", cancel).Wants(http.StatusForbidden, "This form was not accepted")
	v.connect(procoretest.MyConstruction)
	cancel.Set(pages.FieldCSRF, token)
	v.Post("/companies", cancel).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Connected")
}

// before calls other, which acts as another tab, just before the first operation of
// this name reaches the table.
func (s *site) before(operation string, other func()) {
	var met atomic.Bool
	s.Fault(func(name string, _ []byte) (f dynamotest.Fault) {
		if name == operation && !met.Swap(true) {
			other()
		}
		return f
	})
}

// deleted deletes a session, as time to live does.
func (s *site) deleted(flow string) {
	s.t.Helper()
	key := map[string]types.AttributeValue{"session": &types.AttributeValueMemberS{Value: flow}}
	if _, err := s.DB.DeleteItem(s.t.Context(), &dynamodb.DeleteItemInput{TableName: &s.Tables.Sessions, Key: key}); err != nil {
		s.t.Error(err)
	}
}

// Two tabs at once: one cancels while the other chooses, or both cancel. Each shows
// what happened to the authorization, and neither that a company was chosen.
func TestCancelInAnotherTab(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, operation  string
		cancels, deleted bool // the second tab cancels too; the session has been deleted
	}{
		{"before the choice is recorded", "UpdateItem", false, false},
		{"before the choice is recorded, and deleted", "UpdateItem", false, true},
		{"before it is connected", "TransactWriteItems", false, false},
		{"before it is connected, and deleted", "TransactWriteItems", false, true},
		{"before the other cancels", "UpdateItem", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			form, cancel := v.form("5678"), v.form("")
			cancel.Set(pages.FieldCancel, "1")
			next := s.base + "/companies?flow=" + v.flow
			s.before(tt.operation, func() {
				v.Post("/companies", cancel).RedirectsTo(next)
				if tt.deleted {
					s.deleted(v.flow)
				}
			})
			if tt.cancels {
				v.Post("/companies", cancel).RedirectsTo(next)
			} else {
				v.Post("/companies", form).Wants(http.StatusGone, "Nothing was connected")
			}
			if !tt.deleted {
				v.list().Wants(http.StatusGone, "Nothing was connected")
			}
			if got := len(s.connections(procoretest.MyConstruction)); got > 0 {
				t.Errorf("got %d connections, want none", got)
			}
		})
	}
}

// A user who cancels too late sees the connection.
func TestCancelTooLate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form, cancel := v.form("5678"), v.form("")
	cancel.Set(pages.FieldCancel, "1")
	s.before("UpdateItem", func() { v.Post("/companies", form).RedirectsTo(s.base + "/connected") })
	v.Post("/companies", cancel).RedirectsTo(s.base + "/companies?flow=" + v.flow)
	v.list().RedirectsTo(s.base + "/connected?flow=" + v.flow)
}

// Several users may connect the same company. Connections that no longer work, by their
// own state or their grant's, are not counted.
func TestConnectedByOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Members: &[]int64{procoretest.Joe, procoretest.Ann, procoretest.Max}})
	first, second := s.visitor(procoretest.Joe), s.visitor(procoretest.Ann)
	first.connect(procoretest.MyConstruction)
	second.connect(procoretest.MyConstruction)
	for _, v := range []*visitor{first, second} {
		v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Another user has also connected this company")
	}
	third := s.visitor(procoretest.Max)
	third.connect(procoretest.MyConstruction)
	second.Get("/connected?flow="+second.flow).Wants(http.StatusOK, "2 other users have also connected this company")
	key := func(user int64) connections.Key {
		return connections.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.User(user)}
	}
	if err := s.Store().Disconnect(t.Context(), s.Connection(key(procoretest.Joe))); err != nil {
		t.Fatal(err)
	}
	second.Get("/connected?flow="+second.flow).Wants(http.StatusOK, "Another user has also connected this company")
	s.refuseRefresh(procoretest.Max)
	if page := second.Get("/connected?flow=" + second.flow); page.Status != http.StatusOK || strings.Contains(page.Body, "Another user") {
		t.Errorf("status %d, and a connection that has ended is counted", page.Status)
	}
}
