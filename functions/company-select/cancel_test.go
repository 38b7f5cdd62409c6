package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procoretest"
)

// A user who cancels connects nothing: no company is called, the same form no longer
// chooses one, and housekeeping finds the pair to revoke at once.
func TestCancel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	cancel := v.form("")
	cancel.Set(pages.FieldCancel, "1")
	for range 2 { // a double click, or the page loaded again
		v.Post("/companies", cancel)
		v.list().Wants(http.StatusGone, "Nothing was connected", "Connect to Procore")
	}
	v.Post("/companies", form).Wants(http.StatusGone, "Nothing was connected")
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "is ready to connect")
	s.wantEntered()
	stale := 0
	for held, err := range s.h.sessions.Stale(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if pair, err := s.h.sessions.Pair(t.Context(), held); err != nil || pair.AccessToken.IsZero() {
			t.Errorf("the pair cannot be revoked: %v", err)
		}
		stale++
	}
	if stale != 1 {
		t.Errorf("got %d pairs to revoke, want 1", stale)
	}
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

// housekeeping deletes the canceled sessions, as it does once their pairs are
// revoked.
func (s *site) housekeeping() {
	s.t.Helper()
	for canceled, err := range s.h.sessions.Stale(s.t.Context()) {
		if err == nil {
			err = s.h.sessions.Delete(s.t.Context(), canceled)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
}

// Two tabs at once: one cancels while the other chooses, or both cancel. Each shows
// what happened to the authorization, and neither that a company was chosen.
func TestCancelInAnotherTab(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, operation  string
		cancels, deleted bool // the second tab cancels too; housekeeping has deleted the session
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
					s.housekeeping()
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

// Several users may connect the same company. Connections that no longer work are not
// counted.
func TestConnectedByOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	patch(t, s, procoretest.MyConstruction, procoretest.CompanyPatch{Members: &[]int64{procoretest.Joe, procoretest.Ann}})
	first, second := s.visitor(procoretest.Joe), s.visitor(procoretest.Ann)
	first.connect(procoretest.MyConstruction)
	second.connect(procoretest.MyConstruction)
	for _, v := range []*visitor{first, second} {
		v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Another user has also connected this company")
	}
	for _, c := range s.connections(procoretest.MyConstruction) {
		if c.UserName == "Joe Builder" {
			if err := s.Store().Disconnect(t.Context(), c.Key, c.Generation); err != nil {
				t.Fatal(err)
			}
		}
	}
	if page := second.Get("/connected?flow=" + second.flow); page.Status != http.StatusOK || strings.Contains(page.Body, "Another user") {
		t.Errorf("status %d, and a connection that has ended is counted", page.Status)
	}
}
