package handler

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// R3: the list calls only /me and /companies.
func TestList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	evil := procoretest.NewCompany(777, `<script>alert(1)</script> & "Sons"`, procoretest.Joe)
	if err := s.Procore.AddCompany(evil); err != nil {
		t.Fatal(err)
	}
	v := s.visitor(procoretest.Joe)
	page := v.list().Wants(http.StatusOK, "Joe Builder", "My Construction Company", "Harbor &amp; Hill Builders",
		"Locked Gate Contractors", "&lt;script&gt;alert(1)&lt;/script&gt;", "Connect this company")
	for _, part := range []string{"<script", "Northern Planning", "Closed Book"} {
		if strings.Contains(page.Body, part) {
			t.Errorf("the page has %q", part)
		}
	}
	v.Get("/companies?q=harbor&flow="+v.flow).Wants(http.StatusOK, "Harbor")
	s.wantEntered()
	if ids := s.connections(procoretest.MyConstruction); len(ids) > 0 {
		t.Errorf("got %d connections before the choice", len(ids))
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	before := s.row(v.flow)
	if value(before, "status") != "authorized" || before["sealed"] == nil || before["held_shard"] == nil || before["ttl"] != nil {
		t.Errorf("the session is %s, with sealed %v, held_shard %v, ttl %v", value(before, "status"), before["sealed"] != nil, before["held_shard"], before["ttl"])
	}
	v.list()
	before = s.row(v.flow)
	if value(before, "status") != "pending" || before["sealed"] != nil || before["held_shard"] != nil || before["ttl"] == nil {
		t.Errorf("the listed session is %s, with sealed %v, held_shard %v, ttl %v", value(before, "status"), before["sealed"] != nil, before["held_shard"], before["ttl"])
	}
	v.connect(procoretest.MyConstruction)
	s.wantEntered(procoretest.MyConstruction)

	c := s.connection(procoretest.MyConstruction)
	if c.State != connections.Connected || c.Rev != 1 || c.Principal != tokens.User(procoretest.Joe) || c.Webhooks != connections.WebhooksPending {
		t.Errorf("got %s %s, revision %d, webhooks %s", c.Principal, c.State, c.Rev, c.Webhooks)
	}
	g := s.Grant(c.Principal)
	if g.State != tokens.Active || g.Generation != 1 || !cmp.Equal(g.Holders, []string{"5678"}) {
		t.Errorf("got a grant that is %s, generation %d, holders %v", g.State, g.Generation, g.Holders)
	}
	if c.CompanyName != "My Construction Company" || c.UserName != "Joe Builder" || g.RedirectURI != s.base+"/oauth/callback" {
		t.Errorf("got company %q, user %q, redirect URI %q", c.CompanyName, c.UserName, g.RedirectURI)
	}
	s.item(s.Tables.Grants, map[string]types.AttributeValue{"grant": &types.AttributeValueMemberS{Value: "custom#" + string(c.Principal)}})
	s.item(s.Tables.Connections, map[string]types.AttributeValue{
		"company": &types.AttributeValueMemberS{Value: "custom#5678"}, "principal": &types.AttributeValueMemberS{Value: string(c.Principal)},
	})
	row := s.row(v.flow)
	if value(row, "status") != "connected" || row["sealed"] != nil || row["held_shard"] != nil || row["ttl"] == nil {
		t.Errorf("the finished session is %s, with sealed %v, held_shard %v, ttl %v", value(row, "status"), row["sealed"], row["held_shard"], row["ttl"])
	}
	if _, err := procore.Collect(s.Store().Client(c.Key).Projects(t.Context())); err != nil {
		t.Errorf("the connection does not work: %v", err)
	}
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Connected", "My Construction Company", "5678", "Joe Builder", "Being set up")
	line := s.Log.Lines(t, "request")[2]
	if line["outcome"] != "connected" || line["company_id"] != float64(5678) || line["principal"] != "user#1234567" {
		t.Errorf("logged %v", line)
	}
}

// A user may connect two companies, and two users the same company.
func TestSeveralConnections(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(h *handler) { h.webhooks = connections.WebhooksOff })
	members := []int64{procoretest.Joe, procoretest.Ann}
	if err := s.Procore.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Members: &members}); err != nil {
		t.Fatal(err)
	}
	s.visitor(procoretest.Joe).connect(procoretest.MyConstruction)
	s.visitor(procoretest.Joe).connect(procoretest.HarborHill)
	s.visitor(procoretest.Ann).connect(procoretest.MyConstruction)
	all := append(s.connections(procoretest.MyConstruction), s.connections(procoretest.HarborHill)...)
	if len(all) != 3 {
		t.Fatalf("got %d connections, want 3", len(all))
	}
	for _, c := range all {
		if c.State != connections.Connected || c.Rev != 1 || c.Webhooks != connections.WebhooksOff {
			t.Errorf("got %v, %s, revision %d, webhooks %s", c.Key, c.State, c.Rev, c.Webhooks)
		}
		s.wantWorking(c.Key)
	}
	for user, holders := range map[int64][]string{
		procoretest.Joe: {fmt.Sprint(procoretest.HarborHill), fmt.Sprint(procoretest.MyConstruction)}, procoretest.Ann: {fmt.Sprint(procoretest.MyConstruction)},
	} {
		if got := s.Grant(tokens.User(user)).Holders; !cmp.Equal(got, holders) {
			t.Errorf("user %d: the grant's holders are %v, want %v", user, got, holders)
		}
	}
}

func TestNoCompanies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.visitor(procoretest.Max).list().Wants(http.StatusForbidden, "No company to connect", "Try again")
}

// Procore lists the companies in pages.
func TestManyCompanies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range int64(2000) {
		if err := s.Procore.AddCompany(procoretest.NewCompany(1_000_000+i, fmt.Sprintf("Branch %04d", i), procoretest.Ann)); err != nil {
			t.Fatal(err)
		}
	}
	v := s.visitor(procoretest.Ann)
	v.list().Wants(http.StatusOK, "50 of your first 2,000 companies", "Find a company")
	v.Get("/companies?q=1998&flow="+v.flow).Wants(http.StatusOK, "Branch 1998")
	v.connect(1_001_998)
	s.wantEntered(1_001_998)
}
