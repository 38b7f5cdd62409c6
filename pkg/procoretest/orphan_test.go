package procoretest

import "testing"

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
		addTrigger(t, p, joe, id, "RFIs", "update")
		if err := p.UpdateCompany(MyConstruction, CompanyPatch{WebhooksDeniedTo: &[]int64{Joe}}); err != nil {
			t.Fatal(err)
		}
		api(t, p, joe, MyConstruction, "GET", hooksPath+"?namespace=our-app", "").wants(t, 403, "permission")
		var listed struct{ Data []any }
		api(t, p, ann, MyConstruction, "GET", hooksPath+"?namespace=our-app", "").wants(t, 200, "").into(t, &listed)
		emitted, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "update"})
		if err != nil || len(emitted.EventIDs) != want.events || len(listed.Data) != want.listed {
			t.Errorf("%q: %d events, %d hooks, %v; want %d and %d", mode, len(emitted.EventIDs), len(listed.Data), err, want.events, want.listed)
		}
		form := `{"namespace":"our-app","payload_version":"v2.0","destination_url":"http://127.0.0.1:9/hook"}`
		api(t, p, ann, MyConstruction, "POST", hooksPath, form).wants(t, want.createAgain, "")
	}
}

// The list of deliveries is paged by number, from either end.
func TestDeliveryOrder(t *testing.T) {
	t.Parallel()
	for order, want := range map[DeliveryOrder][]int{OldestFirst: {2, 3}, NewestFirst: {2, 1}} {
		p, rec, list := hooked(t, "v2.0", nil, Options{DeliveryOrder: order})
		var ids []string
		for range 5 {
			ids = append(ids, emitUpdate(t, p, 1))
			rec.next(t)
		}
		eventually(t, p, "all delivered", func(st State) bool { return len(st.Deliveries) == 5 })
		var all struct {
			Data []struct{ Payload struct{ ULID string } }
		}
		answer := api(t, p, p.Token(t, Joe, redirect).AccessToken, MyConstruction, "GET", list+"?page=2&per_page=2", "").wants(t, 200, "")
		answer.into(t, &all)
		if len(all.Data) != 2 || answer.header.Get("Total") != "5" {
			t.Fatalf("%s: got %v of %s", order, all, answer.header.Get("Total"))
		}
		for i, n := range want {
			if got := all.Data[i].Payload.ULID; got != ids[n] {
				t.Errorf("%s: got event %s, want %s", order, got, ids[n])
			}
		}
	}
}
