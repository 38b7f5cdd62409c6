package procoretest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// losing emits 100 changes to a fake that loses 30 % of them, and returns what it lost
// and what it delivered.
func losing(t *testing.T, o Options) (p *Server, token string, hook int64, lost, delivered []string) {
	t.Helper()
	o.LoseDeliveries = 0.3
	p = Start(t, o)
	rec := receive(t, nil)
	token = p.Token(t, Joe, redirect).AccessToken
	hook = newHook(t, p, token, rec.URL, "v2.0")
	addTrigger(t, p, token, hook, "RFIs", "update")
	for i := range 100 {
		e := Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "update", ResourceID: "1", Title: fmt.Sprint(i)}
		if made, err := p.Emit(e); err != nil || len(made.EventIDs) != 1 {
			t.Fatalf("Emit = %+v, %v", made, err)
		}
	}
	st := eventually(t, p, "all are lost or delivered", func(st State) bool {
		return len(rec.got)+len(st.Lost) == 100 && st.Hooks[0].Waiting == 0
	})
	for _, l := range st.Lost {
		if l.ResourceID != "1" || l.EventType != "update" || l.HookID != hook || l.At.IsZero() {
			t.Errorf("lost %+v, want what the event was", l)
		}
		lost = append(lost, l.EventID)
	}
	for range 100 - len(lost) {
		delivered = append(delivered, rec.next(t).body)
	}
	return p, token, hook, lost, delivered
}

// A share of the deliveries is lost, by seed, and the state lists which.
func TestLosses(t *testing.T) {
	t.Parallel()
	for as, status := range map[LoseAs]string{LoseSilently: "", LoseSucceeded: "succeeded", LoseDiscarded: "discarded"} {
		p, token, hook, lost, delivered := losing(t, Options{LoseAs: as, LoseSeed: 7})
		if len(lost) < 15 || len(lost) > 45 {
			t.Errorf("lost %d of 100, want about 30", len(lost))
		}
		for _, id := range lost {
			if slices.ContainsFunc(delivered, func(body string) bool { return strings.Contains(body, id) }) {
				t.Errorf("%s: %s is lost and delivered", as, id)
			}
		}
		listed := func(filter string) string {
			return api(t, p, token, MyConstruction, "GET", fmt.Sprintf("%s/%d/deliveries?per_page=100%s", hooksPath, hook, filter), "").wants(t, 200, "").body
		}
		body, n := listed(""), 0
		for _, id := range lost {
			if strings.Contains(body, id) {
				n++
			}
		}
		if want := len(lost); as == LoseSilently && n != 0 || as != LoseSilently && n != want {
			t.Errorf("%s: %d lost ones are listed, want none or %d", as, n, want)
		}
		if status != "" && !strings.Contains(listed("&filter[status]="+status), lost[0]) {
			t.Errorf("%s: the first is not listed as %s", as, status)
		}
	}
}

// The same seed loses the same changes.
func TestLossesBySeed(t *testing.T) {
	t.Parallel()
	places := func(seed uint64) (which []int) {
		p := Start(t, Options{LoseDeliveries: 0.3, LoseSeed: seed})
		for i := range 200 {
			if p.loses(MyConstruction) {
				which = append(which, i)
			}
		}
		return which
	}
	if a, b, c := places(1), places(1), places(2); !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("seed 1 loses %v and %v, seed 2 %v", a, b, c)
	}
}

// A patch begins and ends the losses.
func TestLossesByPatch(t *testing.T) {
	t.Parallel()
	p := Start(t)
	steer(t, p, "PATCH", "options", `{"lose_deliveries":1,"lose_seed":3,"lose_as":"discarded"}`).wants(t, 200, "ok")
	if !p.loses(MyConstruction) {
		t.Error("nothing is lost")
	}
	steer(t, p, "PATCH", "options", `{"lose_deliveries":0}`).wants(t, 200, "ok")
	if p.loses(MyConstruction) {
		t.Error("a delivery is lost")
	}
	for _, odd := range []string{`{"lose_deliveries":1.1}`, `{"lose_deliveries":-1}`, `{"lose_as":"found"}`, `{"app_limit":{"hourly":-1}}`} {
		steer(t, p, "PATCH", "options", odd).wants(t, 400, "not")
	}
}
