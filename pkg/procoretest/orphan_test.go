package procoretest

import (
	"fmt"
	"testing"
)

// A hook whose creator lost access works, is silent, or is hidden from everyone,
// depending on the options.
func TestOrphanedHooks(t *testing.T) {
	t.Parallel()
	for mode, want := range map[OrphanedHooks]struct {
		events, listed int
		createAgain    int
	}{
		"":      {1, 1, 422},
		Working: {1, 1, 422},
		Silent:  {0, 1, 422},
		Hidden:  {0, 0, 201},
	} {
		p := Start(t, Options{OrphanedHooks: mode})
		if err := p.UpdateCompany(MyConstruction, CompanyPatch{Members: &[]int64{Joe, Ann}}); err != nil {
			t.Fatal(err)
		}
		joe, ann := p.Token(t, Joe, redirect).AccessToken, p.Token(t, Ann, redirect).AccessToken
		id := newHook(t, p, joe, "http://127.0.0.1:9/hook", "v2.0")
		trigger := `{"company_id":5678,"api_version":"v2.0","trigger":{"resource_name":"RFIs","event_type":"update"}}`
		api(t, p, joe, MyConstruction, "POST", fmt.Sprintf("%s/%d/triggers", hooksPath, id), trigger).wants(t, 201, "")
		if err := p.UpdateCompany(MyConstruction, CompanyPatch{WebhooksDeniedTo: &[]int64{Joe}}); err != nil {
			t.Fatal(err)
		}
		api(t, p, joe, MyConstruction, "GET", hooksPath+"?company_id=5678", "").wants(t, 403, "permission")
		var listed []any
		api(t, p, ann, MyConstruction, "GET", hooksPath+"?company_id=5678&namespace=our-app", "").wants(t, 200, "").into(t, &listed)
		emitted, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "update"})
		if err != nil || len(emitted.EventIDs) != want.events || len(listed) != want.listed {
			t.Errorf("%q: %d events, %d hooks, %v; want %d and %d", mode, len(emitted.EventIDs), len(listed), err, want.events, want.listed)
		}
		form := `{"company_id":5678,"hook":{"namespace":"our-app","destination_url":"http://127.0.0.1:9/hook"}}`
		api(t, p, ann, MyConstruction, "POST", hooksPath, form).wants(t, want.createAgain, "")
	}
}

// The list of deliveries is paged by number, from either end, or by cursor. With a
// cursor, page numbers are ignored and there is no Link.
func TestDeliveryPaging(t *testing.T) {
	t.Parallel()
	for mode, tt := range map[DeliveryPaging]struct {
		query string
		want  []int
		link  bool
	}{
		ByPage:      {"&page=2&per_page=2", []int{2, 3}, true},
		NewestFirst: {"&page=2&per_page=2", []int{2, 1}, true},
		ByCursor:    {"&page=2&per_page=2&page_size=2", []int{0, 1}, false},
	} {
		p, rec, list := hooked(t, "v2.0", nil, Options{DeliveryPaging: mode})
		for range 5 {
			emitUpdate(t, p, 1)
			rec.next(t)
		}
		var ids []int64
		for _, d := range eventually(t, p, "all delivered", func(st State) bool { return len(st.Deliveries) == 5 }).Deliveries {
			ids = append(ids, d.ID)
		}
		token := p.Token(t, Joe, redirect).AccessToken
		get := func(query string) ([]struct{ ID int64 }, bool) {
			var all []struct{ ID int64 }
			answer := api(t, p, token, MyConstruction, "GET", list+query, "").wants(t, 200, "")
			answer.into(t, &all)
			return all, answer.header.Get("Link") != ""
		}
		all, link := get(tt.query)
		if len(all) != 2 || all[0].ID != ids[tt.want[0]] || all[1].ID != ids[tt.want[1]] || link != tt.link {
			t.Errorf("%s: got %v of %v, link %t; want %v", mode, all, ids, link, tt.want)
		}
		if mode == ByCursor {
			if all, _ = get(fmt.Sprintf("&page_size=2&page_start=%d", ids[3])); len(all) != 1 || all[0].ID != ids[4] {
				t.Errorf("after %d: got %v of %v", ids[3], all, ids)
			}
		}
	}
}
