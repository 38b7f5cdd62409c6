package main

import (
	"net/http"
	"strings"
	"testing"

	"procore-connect/internal/pages"
	"procore-connect/internal/procoretest"
)

// Who changes their mind connects nothing: no company is called, the same form
// chooses none any more, and housekeeping finds the pair to revoke at once.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	leave := v.form("")
	leave.Set(pages.FieldLeave, "1")
	for range 2 { // a double click, or the page loaded again
		v.Post("/companies", leave)
		v.list().Wants(http.StatusGone, "Nothing was connected", "Connect to Procore")
	}
	v.Post("/companies", form).Wants(http.StatusGone, "Nothing was connected")
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "is ready to be connected")
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
	leave.Set(pages.FieldLeave, "1")
	token := leave.Get(pages.FieldCSRF)
	leave.Set(pages.FieldCSRF, "guessed")
	v.Post("/companies", leave).Wants(http.StatusForbidden, "The form could not be accepted")
	v.connect(procoretest.MyConstruction)
	leave.Set(pages.FieldCSRF, token)
	v.Post("/companies", leave).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Connected")
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
		v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Another user has connected this company too")
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
