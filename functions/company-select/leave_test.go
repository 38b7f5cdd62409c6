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

// Who changes their mind connects nothing: no company is called, the same form
// chooses none any more, and housekeeping finds the pair to revoke at once.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	leave := v.form("")
	leave.Set(pages.FieldCancel, "1")
	for range 2 { // a double click, or the page loaded again
		v.Post("/companies", leave)
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
		if pair, err := s.h.sessions.Pair(t.Context(), held); err != nil || pair.AccessToken == "" {
			t.Errorf("the pair cannot be revoked: %v", err)
		}
		stale++
	}
	if stale != 1 {
		t.Errorf("got %d pairs to revoke, want 1", stale)
	}
}

// Leaving needs the form as choosing does, and changes nothing once connected.
func TestLeaveRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	leave := v.form("")
	leave.Set(pages.FieldCancel, "1")
	token := leave.Get(pages.FieldCSRF)
	leave.Set(pages.FieldCSRF, "guessed")
	v.Post("/companies", leave).Wants(http.StatusForbidden, "This form was not accepted")
	v.connect(procoretest.MyConstruction)
	leave.Set(pages.FieldCSRF, token)
	v.Post("/companies", leave).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Connected")
}

// between does what another tab does, just before the first operation of its name
// reaches the table.
func (s *site) between(operation string, other func()) {
	var met atomic.Bool
	s.Fault(func(name string, _ []byte) (f dynamotest.Fault) {
		if name == operation && !met.Swap(true) {
			other()
		}
		return f
	})
}

// housekeeping deletes the sessions that were left, as it does once their pairs are
// revoked.
func (s *site) housekeeping() {
	s.t.Helper()
	for left, err := range s.h.sessions.Stale(s.t.Context()) {
		if err == nil {
			err = s.h.sessions.Delete(s.t.Context(), left)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
}

// Two tabs at once: one leaves while the other chooses, or both leave. Each says
// what became of the authorization, and none that a company was chosen.
func TestLeaveMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, operation string
		leaves, gone    bool // the tab that comes too late leaves; housekeeping has been there
	}{
		{"before the choice is fixed", "UpdateItem", false, false},
		{"before the choice is fixed, and gone", "UpdateItem", false, true},
		{"before it is connected", "TransactWriteItems", false, false},
		{"before it is connected, and gone", "TransactWriteItems", false, true},
		{"before the other leaves", "UpdateItem", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			form, leave := v.form("5678"), v.form("")
			leave.Set(pages.FieldCancel, "1")
			left := s.base + "/companies?flow=" + v.flow
			s.between(tt.operation, func() {
				v.Post("/companies", leave).RedirectsTo(left)
				if tt.gone {
					s.housekeeping()
				}
			})
			if tt.leaves {
				v.Post("/companies", leave).RedirectsTo(left)
			} else {
				v.Post("/companies", form).Wants(http.StatusGone, "Nothing was connected")
			}
			if !tt.gone {
				v.list().Wants(http.StatusGone, "Nothing was connected")
			}
			if got := len(s.connections(procoretest.MyConstruction)); got > 0 {
				t.Errorf("got %d connections, want none", got)
			}
		})
	}
}

// Who leaves too late is shown what is connected.
func TestLeaveTooLate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form, leave := v.form("5678"), v.form("")
	leave.Set(pages.FieldCancel, "1")
	s.between("UpdateItem", func() { v.Post("/companies", form).RedirectsTo(s.base + "/connected") })
	v.Post("/companies", leave).RedirectsTo(s.base + "/companies?flow=" + v.flow)
	v.list().RedirectsTo(s.base + "/connected?flow=" + v.flow)
}

// A company may have the connections of several users. Those that no longer work
// are not counted.
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
