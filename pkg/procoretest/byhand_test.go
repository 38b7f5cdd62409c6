package procoretest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

// byHand starts a fake whose deliveries the test makes. due gets the hooks.
func byHand(t *testing.T, due *[]int64) (*Server, int64) {
	t.Helper()
	p := Start(t, Options{Deliver: func(hook int64) { *due = append(*due, hook) }, Crooked: "event-plain"})
	token := p.Token(t, Joe, redirect).AccessToken
	hook := newHook(t, p, token, "http://127.0.0.1:9/hook", "v4.0")
	addTrigger(t, p, token, hook, "RFIs", "create")
	for range 2 {
		if _, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create"}); err != nil {
			t.Fatal(err)
		}
	}
	return p, hook
}

func response(status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"X-Answer": {"1"}}, Body: io.NopCloser(strings.NewReader("hook-secret"))}
}

// With Options.Deliver the caller makes the deliveries, in order, and the fake waits as always.
func TestByHand(t *testing.T) {
	t.Parallel()
	var due []int64
	p, hook := byHand(t, &due)
	if fmt.Sprint(due) != fmt.Sprint([]int64{hook, hook}) {
		t.Errorf("due %v, want hook %d twice", due, hook)
	}
	first, _ := p.Next(hook)
	body, _ := io.ReadAll(first.Request.Body)
	if first.Request.URL.String() != "http://127.0.0.1:9/hook" || first.Request.Header.Get("Authorization") != "Bearer hook-secret" ||
		first.Request.Header.Get("Content-Type") != "text/plain" || !bytes.Contains(body, []byte(first.EventID)) {
		t.Errorf("request %+v with %s", first.Request, body)
	}
	first.Failed(errors.New("reset"))
	if a, wait := p.Next(hook); a != nil || wait <= 0 || wait > firstBackoff {
		t.Errorf("next in %v, want a pause of a second", wait)
	}
	p.Advance(firstBackoff)
	for _, status := range []int{500, 200} {
		again, _ := p.Next(hook)
		if again == nil || again.DeliveryID != first.DeliveryID {
			t.Fatalf("next %+v, want the same delivery", again)
		}
		again.Answered(response(status))
		p.Advance(time.Hour)
	}
	second, _ := p.Next(hook)
	second.Answered(response(204))
	if a, wait := p.Next(hook); a != nil || wait != 0 {
		t.Errorf("next %+v in %v, want none", a, wait)
	}
	var got []string
	for _, d := range p.State().Deliveries {
		got = append(got, fmt.Sprintf("%s %d %q %s%s", d.Outcome, d.ResponseStatus, d.ResponseError, d.ResponseHeaders["X-Answer"], d.ResponseBody))
	}
	want := `retried 0 "reset" |retried 500 "" 1[removed]|ok 200 "" 1[removed]|ok 204 "" 1[removed]`
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("deliveries %s, want %s", text, want)
	}
}

// No attempt outlives its event or its hook, and none is due to a hook that is gone.
func TestByHandEnds(t *testing.T) {
	t.Parallel()
	var due []int64
	p, hook := byHand(t, &due)
	a, _ := p.Next(hook)
	for _, disabled := range []bool{true, false} {
		if err := p.UpdateHook(hook, HookPatch{Disabled: &disabled}); err != nil {
			t.Fatal(err)
		}
	}
	a.Answered(response(200))
	if all := p.State().Deliveries; len(all) != 2 || all[0].Outcome != OutcomeDiscarded || all[1].Outcome != OutcomeDiscarded {
		t.Errorf("deliveries %+v, want two that were discarded", all)
	}
	if _, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create"}); err != nil {
		t.Fatal(err)
	}
	a, _ = p.Next(hook)
	if err := p.Overwrite(); err != nil {
		t.Fatal(err)
	}
	a.Answered(response(200))
	if a, wait := p.Next(hook); a != nil || wait != 0 {
		t.Errorf("next %+v in %v of a hook that is gone", a, wait)
	}
	if all := p.State().Deliveries; len(all) != 0 {
		t.Errorf("deliveries %+v of a hook that is gone", all)
	}
}

// A fake whose deliveries others make has no goroutine.
func TestByHandHasNoGoroutine(t *testing.T) { //nolint:paralleltest // it counts goroutines
	var buf [1 << 20]byte
	var due []int64
	byHand(t, &due)
	for one := range strings.SplitSeq(string(buf[:runtime.Stack(buf[:], true)]), "\n\n") {
		if strings.Contains(one, "procoretest.(*Server).startWorker") {
			t.Error(one)
		}
	}
}

// Two fakes with the same clock and randomness answer the same.
func TestRandom(t *testing.T) {
	t.Parallel()
	answers := func() string {
		n := byte(0)
		read := func(p []byte) {
			for i := range p {
				n += 7
				p[i] = n
			}
		}
		s := New(Options{Random: procore.Random{Read: read}, Now: func() time.Time { return time.Unix(1e9, 0) }, Shuffle: 3})
		defer s.Close()
		pair := s.Token(t, Joe, redirect)
		callback := s.Authorize(t, Joe, authorizeURL(s))
		made := s.Change(t, Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "Document Uploads", EventType: "create"})
		return fmt.Sprint(pair, callback, made, s.State())
	}
	first, second := answers(), answers()
	if first != second || !strings.Contains(first, "fake-code-") {
		t.Errorf("got %s and %s", first, second)
	}
}

// The last item of a bulk call is refused, and the others are not.
func TestPartial(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	path := fmt.Sprintf("%s/%d/triggers/bulk", hooksPath, newHook(t, p, token, "http://127.0.0.1:9/hook", "v3.0"))
	for _, c := range []struct{ method, body, made, failed string }{
		{"POST", `[{"resource_name":"RFIs","event_type":"create"},{"resource_name":"RFIs","event_type":"update"}]`, `"event_type":"CREATE"`, `"event_type":"update"`},
		{"DELETE", "", `"succeeded":["`, `"errors":["could not be deleted"]`},
	} {
		if c.method == http.MethodDelete {
			addTrigger(t, p, token, p.State().Hooks[0].ID, "RFIs", "update")
			c.body = fmt.Sprintf(`["%d","%d"]`, p.State().Hooks[0].Triggers[0].ID, p.State().Hooks[0].Triggers[1].ID)
		}
		if err := p.Fault(Fault{Endpoint: "api", Kind: Partial}); err != nil {
			t.Fatal(err)
		}
		api(t, p, token, MyConstruction, c.method, path, c.body).wants(t, 207, c.made).wants(t, 207, c.failed)
		if n := len(p.State().Hooks[0].Triggers); n != 1 {
			t.Errorf("%d triggers after %s, want 1", n, c.method)
		}
	}
}

// Watch sees each token as it is issued, spent, replayed, returned and revoked.
func TestWatch(t *testing.T) {
	t.Parallel()
	var got []string
	p := Start(t, Options{ReplayKillsSuccessor: true, SecondAuthorization: Return, Watch: func(e TokenEvent, pair Pair) {
		got = append(got, fmt.Sprintf("%s %s %v %s %t", e.Event, e.State, e.Spent, e.Reason, pair.RefreshToken != "" && Fingerprint(pair.RefreshToken) == e.Fingerprint))
	}})
	first := p.Token(t, Joe, redirect)
	p.Token(t, Joe, redirect)
	refresh(t, p, first.RefreshToken).wants(t, 200, "")
	refresh(t, p, first.RefreshToken).wants(t, 400, "invalid_grant")
	refresh(t, p, "invented").wants(t, 400, "invalid_grant")
	if !p.Accepts(first.AccessToken) || p.Accepts("invented") {
		t.Error("the first access token is not accepted, or any is")
	}
	if err := p.Overwrite(); err != nil || p.Accepts(first.AccessToken) {
		t.Errorf("an access token is accepted after %v", err)
	}
	want := []string{"issued  false  true", "returned  false  true", "presented live true  true", "refreshed  false  true", "presented spent false  true",
		"revoked  false a replay true", "presented unknown false  false", "revoked  false the sandbox was overwritten true"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
