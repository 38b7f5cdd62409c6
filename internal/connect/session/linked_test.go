package session

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

var testLink = Link{
	Name: link.Challenge(procore.NewSecret("verifier")), Reference: "tenant-42", Tenant: "Acme Corp", Return: "https://host.example/done",
}

// follow begins a flow by the link.
func (w *world) follow(before string) (Start, error) {
	return w.Begin(w.t.Context(), Opening{RedirectURI: testRedirect, Link: testLink, Before: before})
}

// linked brings a new flow that follows the link to where it waits for the choice.
func (w *world) linked() (Session, procore.Secret) {
	w.t.Helper()
	st, err := w.follow("")
	if err != nil {
		w.t.Fatal(err)
	}
	s, _, err := w.Consume(w.t.Context(), st.State, st.Cookie)
	if err != nil {
		w.t.Fatal(err)
	}
	cookie, err := w.StorePair(w.t.Context(), s, testCode, w.pair())
	if err != nil {
		w.t.Fatal(err)
	}
	w.move(w.find(st.Flow, cookie))
	return w.find(st.Flow, cookie), cookie
}

// A link begins one flow. Only the flow that followed it last can be followed by another.
func TestLinkIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.follow("")
	if err != nil {
		t.Fatal(err)
	}
	if s := w.find(first.Flow, first.Cookie); s.Link != testLink {
		t.Errorf("the session has %+v, want %+v", s.Link, testLink)
	}
	for _, before := range []string{"", "another flow"} {
		if _, err := w.follow(before); !errors.Is(err, ErrLinkUsed) {
			t.Errorf("after %q: %v, want ErrLinkUsed", before, err)
		}
	}
	second, err := w.follow(first.Flow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.follow(first.Flow); !errors.Is(err, ErrLinkUsed) {
		t.Errorf("by the first flow again: %v, want ErrLinkUsed", err)
	}
	if flow, err := w.LinkFlow(t.Context(), testLink.Name); err != nil || flow != second.Flow {
		t.Errorf("the link's flow is %s, %v, want the second", flow, err)
	}
	if flow, err := w.LinkFlow(t.Context(), "unused"); err != nil || flow != "" {
		t.Errorf("an unused link has the flow %q, %v", flow, err)
	}
}

// Of many flows that follow a link at a time, one begins, and no row of another remains.
func TestLinkIsUsedOnceAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	results := make(chan error)
	for range 8 {
		go func() { _, err := w.follow(""); results <- err }()
	}
	began := 0
	for range 8 {
		switch err := <-results; {
		case err == nil:
			began++
		case !errors.Is(err, ErrLinkUsed):
			t.Error(err)
		}
	}
	if began != 1 {
		t.Errorf("%d flows began, want 1", began)
	}
	rows := 0
	for _, err := range dynamo.Scan(t.Context(), w.DB, "", w.Table, (*Session).read) {
		if rows++; err != nil {
			t.Error(err)
		}
	}
	if rows != 2 {
		t.Errorf("%d rows, want the flow's and the link's", rows)
	}
}

// The answer to the write that uses a link is lost, and the SDK writes again.
func TestLinkAnswerIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dynamo.Intercept(dynamotest.Nth(1, "TransactWriteItems", dynamotest.Fault{Drop: true, Applied: true}))
	w.DB = dynamotest.Client(w.url, func(o *dynamodb.Options) {
		o.RetryMaxAttempts = 3
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	})
	st, err := w.follow("")
	if err != nil {
		t.Fatal(err)
	}
	if flow, err := w.LinkFlow(t.Context(), testLink.Name); err != nil || flow != st.Flow {
		t.Errorf("the link's flow is %s, %v, want the one that began", flow, err)
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	linked := func(status Status, why Reason, refusal string) Session {
		return Session{Link: testLink, Status: status, Reason: why, Refusal: Refusal{Reason: refusal}}
	}
	for want, all := range map[link.Outcome][]Session{
		link.Connected:  {linked(Connected, "", ""), linked(Connected, "", "user_installs_off")},
		link.Declined:   {linked(Abandoned, Canceled, ""), linked(Abandoned, Canceled, "user_installs_off")},
		link.NeedsAdmin: {linked(Pending, "", "user_installs_off")},
		"": {
			{Status: Connected}, {Status: Abandoned, Reason: Canceled}, {},
			linked(Started, "", ""), linked(Exchanging, "", ""), linked(Authorized, "", ""), linked(Pending, "", ""), linked(Chosen, "", "user_installs_off"),
			linked(Abandoned, Failed, ""), linked(Abandoned, Dead, ""), linked(Abandoned, Stale, "user_installs_off"),
		},
	} {
		for _, s := range all {
			if got := s.Outcome(); got != want {
				t.Errorf("%s %s %s: %q, want %q", s.Status, s.Reason, s.Refusal.Reason, got, want)
			}
		}
	}
}

// The code is the same for the same outcome, opens only the link's last flow, expires, and is redeemed once.
func TestCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cookie := w.linked()
	refuse := func(company int64) {
		t.Helper()
		if err := w.Refuse(t.Context(), w.find(s.Flow, cookie), Refusal{"user_installs_off", company, "Acme"}); err != nil {
			t.Fatal(err)
		}
	}
	code := func() procore.Secret {
		t.Helper()
		code, err := w.Code(t.Context(), w.find(s.Flow, cookie))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	find := func(name string, code procore.Secret, want error) Session {
		t.Helper()
		found, err := w.Linked(t.Context(), name, code)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("Linked: %v, want %v", err, want)
		}
		return found
	}
	refuse(procoretest.MyConstruction)
	first := code()
	if !code().Equal(first) {
		t.Error("loaded twice, it has two codes")
	}
	found := find(testLink.Name, first, nil)
	if found.Refusal.CompanyID != procoretest.MyConstruction || found.Outcome() != link.NeedsAdmin {
		t.Errorf("found %+v", found)
	}
	find("another link", first, ErrUnknown)
	find(testLink.Name, procore.Secret{}, ErrUnknown)
	find(testLink.Name, cookie, ErrUnknown)

	if err := w.Redeem(t.Context(), found); err != nil {
		t.Fatal(err)
	}
	if err := w.Redeem(t.Context(), found); !errors.Is(err, ErrUsed) {
		t.Errorf("redeemed twice: %v", err)
	}
	if !code().Equal(first) || !find(testLink.Name, first, nil).Redeemed {
		t.Error("loaded again, the code is not the redeemed one")
	}

	refuse(procoretest.HarborHill)
	find(testLink.Name, first, ErrUnknown)
	second := code()
	find(testLink.Name, first, ErrUnknown)
	if find(testLink.Name, second, nil).Redeemed {
		t.Error("another outcome's code is redeemed")
	}
	w.clock.Advance(CodeLifetime + time.Second)
	find(testLink.Name, second, ErrUnknown)
	if !code().Equal(second) {
		t.Error("an expired code is another one when the browser loads it again")
	}
	find(testLink.Name, second, nil)

	w.oauth = &procore.OAuth{Environment: w.oauth.Environment, ClientID: "another-client", ClientSecret: w.oauth.ClientSecret}
	find(testLink.Name, second, ErrUnknown)
}

// The code of one outcome is of no use for another.
func TestCodeOfAnEarlierOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cookie := w.linked()
	if err := w.Refuse(t.Context(), s, Refusal{"user_installs_off", 1, "Acme"}); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		do   func(Session) error
	}{
		{"chosen", func(s Session) error { _, err := w.Choose(t.Context(), s, 2); return err }},
		{"unchosen", func(s Session) error {
			return w.Unchoose(t.Context(), s, Refusal{"no_permission", 2, "Bright"})
		}},
		{"chosen again", func(s Session) error { _, err := w.Choose(t.Context(), s, 2); return err }},
		{"finished", func(s Session) error { return dynamo.Write(t.Context(), w.DB, w.Finish(s)) }},
	}
	for _, step := range steps {
		before := w.find(s.Flow, cookie)
		var code procore.Secret
		if before.Outcome() != "" {
			var err error
			if code, err = w.Code(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			before = w.find(s.Flow, cookie)
		}
		if err := step.do(before); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if _, err := w.Linked(t.Context(), testLink.Name, code); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v, want that the code before is unknown", step.name, err)
		}
	}
}

// declined cancels a flow, and returns the code for the host.
func (w *world) declined(s Session, cookie procore.Secret) procore.Secret {
	w.t.Helper()
	err := w.Cancel(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	code, err := w.Code(w.t.Context(), w.find(s.Flow, cookie))
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// Another flow that follows the link makes the code of the one before worthless.
func TestCodeOfAnEarlierFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cookie := w.linked()
	code := w.declined(s, cookie)
	if found, err := w.Linked(t.Context(), testLink.Name, code); err != nil || found.Outcome() != link.Declined {
		t.Errorf("%v, %v, want declined", found.Outcome(), err)
	}
	if _, err := w.follow(s.Flow); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Linked(t.Context(), testLink.Name, code); !errors.Is(err, ErrUnknown) {
		t.Errorf("after another flow: %v, want ErrUnknown", err)
	}
}

// The row has neither the code nor the cookie in clear, and its session prints none.
func TestLinkedSessionHidesItsCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cookie := w.linked()
	code := w.declined(s, cookie)
	item, err := dynamo.Get(t.Context(), w.DB, w.Table, rowKey(s.Flow))
	if err != nil {
		t.Fatal(err)
	}
	texts := 0
	for name, v := range item {
		if m, ok := v.(*types.AttributeValueMemberS); ok {
			if texts++; m.Value == code.Reveal() || m.Value == cookie.Reveal() {
				t.Errorf("%s is a secret in clear", name)
			}
		}
	}
	if texts < 8 {
		t.Errorf("the row has %d texts", texts)
	}
	secrettest.NotPrinted(t, w.find(s.Flow, cookie), code.Reveal(), cookie.Reveal())
}
