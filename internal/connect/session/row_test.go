package session

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Of many choices at the same time, one succeeds.
func TestChooseOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cookie := w.pending()
	var all sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		all.Go(func() { _, errs[i] = w.Choose(t.Context(), s, int64(i+1)) })
	}
	all.Wait()
	winner := int64(0)
	for i, err := range errs {
		switch {
		case err == nil && winner == 0:
			winner = int64(i + 1)
		case err == nil:
			t.Errorf("companies %d and %d were both chosen", winner, i+1)
		case !errors.Is(err, ErrUsed):
			t.Errorf("error = %v, want ErrUsed", err)
		}
	}
	if got := w.find(s.Flow, cookie).CompanyID; got != winner || winner == 0 {
		t.Errorf("company = %d, want the winner's %d", got, winner)
	}
}

// A choice remains until it is undone, and a step from an earlier state of the row
// fails.
func TestUnchoose(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	first, cookie := w.chosen(1)
	if _, err := w.Choose(ctx, first, 2); !errors.Is(err, ErrUsed) {
		t.Errorf("a choice over a choice: %v, want ErrUsed", err)
	}
	if err := w.Unchoose(ctx, first, Refusal{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Unchoose(ctx, first, Refusal{}); !errors.Is(err, ErrUsed) {
		t.Errorf("undone twice: %v, want ErrUsed", err)
	}
	if err := w.finish(first); !conditionFailed(err) {
		t.Errorf("finished after it was undone: %v", err)
	}
	again := w.find(first.Flow, cookie)
	if again.Status != Pending || again.CompanyID != 0 || again.Principal != joe || again.UserName != "Joe Builder" {
		t.Errorf("undone = %+v, want pending and nothing chosen", again)
	}
	second, err := w.Choose(ctx, again, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.finish(first); !conditionFailed(err) {
		t.Errorf("the first company was connected though the second is chosen: %v", err)
	}
	if err := w.Unchoose(ctx, first, Refusal{}); !errors.Is(err, ErrUsed) {
		t.Errorf("the second choice was undone for the first: %v, want ErrUsed", err)
	}
	if err := w.Cancel(ctx, first); !errors.Is(err, ErrUsed) {
		t.Errorf("canceled from a stale read: %v, want ErrUsed", err)
	}
	if err := w.finish(second); err != nil {
		t.Error(err)
	}
	if err := w.finish(second); !conditionFailed(err) {
		t.Errorf("finished twice: %v", err)
	}
}

func conditionFailed(err error) bool {
	var e *types.TransactionCanceledException
	return errors.As(err, &e) && *e.CancellationReasons[0].Code == "ConditionalCheckFailed"
}

// Each step is possible from one status alone.
func TestStepsInOrder(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st := w.begin()
	authorized, _ := w.authorized()
	pending, _ := w.pending()
	chosen, _ := w.chosen(1)
	connected, cookie := w.chosen(1)
	if err := w.finish(connected); err != nil {
		t.Fatal(err)
	}
	connected = w.find(connected.Flow, cookie)
	abandoned, cookie := w.pending()
	if err := w.Cancel(ctx, abandoned); err != nil {
		t.Fatal(err)
	}
	abandoned = w.find(abandoned.Flow, cookie)
	pair := w.pair()
	steps := map[string]struct {
		do   func(Session) error
		from Status
	}{
		"StorePair": {func(s Session) error { _, err := w.StorePair(ctx, s, testCode, pair); return err }, Exchanging},
		"Choose":    {func(s Session) error { _, err := w.Choose(ctx, s, 9); return err }, Pending},
		"Unchoose":  {func(s Session) error { return w.Unchoose(ctx, s, Refusal{}) }, Chosen},
		"Finish":    {w.finish, Chosen},
	}
	for name, step := range steps {
		for _, s := range []Session{w.find(st.Flow, st.Cookie), w.exchanging(), authorized, pending, chosen, connected, abandoned} {
			if s.Status == step.from {
				continue
			}
			before := w.item(s.Flow)
			if err := step.do(s); !errors.Is(err, ErrUsed) && !conditionFailed(err) {
				t.Errorf("%s of a session that is %s: %v, want ErrUsed", name, s.Status, err)
			}
			if diff := cmp.Diff(plain(before), plain(w.item(s.Flow))); diff != "" {
				t.Errorf("%s changed a session that is %s:\n%s", name, s.Status, diff)
			}
		}
	}
}

// Only a session whose user chooses, or has just chosen, can be canceled.
func TestCancel(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	st := w.begin()
	authorized, _ := w.authorized()
	connected, cookie := w.chosen(1)
	if err := w.finish(connected); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Session{w.find(st.Flow, st.Cookie), w.exchanging(), authorized, w.find(connected.Flow, cookie)} {
		before := w.item(s.Flow)
		if err := w.Cancel(ctx, s); !errors.Is(err, ErrUsed) {
			t.Errorf("%s: %v, want ErrUsed", s.Status, err)
		}
		if diff := cmp.Diff(plain(before), plain(w.item(s.Flow))); diff != "" {
			t.Errorf("canceling changed a session that is %s:\n%s", s.Status, diff)
		}
	}
	pending, cookie := w.pending()
	chosen, other := w.chosen(2)
	for _, held := range []struct {
		Session
		cookie procore.Secret
	}{{pending, cookie}, {chosen, other}} {
		if err := w.Cancel(ctx, held.Session); err != nil {
			t.Fatal(err)
		}
		w.wants(held.Flow, Abandoned, true, false, false)
		again := w.find(held.Flow, held.cookie)
		if !errors.Is(again.Err(), ErrCanceled) || !errors.Is(again.Err(), ErrEnded) || errors.Is(again.Err(), ErrStale) {
			t.Errorf("a canceled session's error is %v", again.Err())
		}
		if err := w.Cancel(ctx, again); err != nil {
			t.Errorf("canceled twice: %v", err)
		}
		if _, err := w.Choose(ctx, held.Session, 3); !errors.Is(err, ErrUsed) {
			t.Errorf("chosen after it was canceled: %v, want ErrUsed", err)
		}
		if err := w.finish(held.Session); !conditionFailed(err) {
			t.Errorf("connected after it was canceled: %v", err)
		}
	}
	if g := w.grant(joe); g.State != tokens.Active {
		t.Errorf("the grant is %s: another tab may need it", g.State)
	}
}

// A step succeeds only if the row is still as it was read.
func TestStepFromStaleRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, changed := range map[string]types.AttributeValue{
		"cookie": dynamo.Text(hash(procore.NewSecret("another"))), "expires_at": dynamo.Number(1), "company_id": dynamo.Text("9"), "status": dynamo.Text(string(Abandoned)),
	} {
		s, _ := w.pending()
		w.overwrite(s.Flow, map[string]types.AttributeValue{name: changed})
		if _, err := w.Choose(t.Context(), s, 1); !errors.Is(err, ErrUsed) {
			t.Errorf("%s changed in the meantime: %v, want ErrUsed", name, err)
		}
	}
}

// plain returns an item in a form that can be compared.
func plain(item map[string]types.AttributeValue) map[string]any {
	out := map[string]any{}
	for name, v := range item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			out[name] = v.Value
		case *types.AttributeValueMemberN:
			out[name] = v.Value
		case *types.AttributeValueMemberB:
			out[name] = v.Value
		}
	}
	return out
}

// Housekeeping finds the sessions with a pair when they are five minutes old.
func TestStale(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.begin()
	w.exchanging()
	w.pending()
	w.chosen(1)
	connected, _ := w.chosen(2)
	if err := w.finish(connected); err != nil {
		t.Fatal(err)
	}
	canceled, _ := w.pending()
	if err := w.Cancel(ctx, canceled); err != nil {
		t.Fatal(err)
	}
	first, _ := w.authorized()
	second, _ := w.authorized()
	w.clock.Advance(5 * time.Minute)
	if got := w.stale(); len(got) != 0 {
		t.Errorf("stale after 5 minutes: %q, want none", got)
	}
	w.clock.Advance(time.Second)
	want := []string{first.Flow, second.Flow}
	slices.Sort(want)
	got := w.stale()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stale after 5 minutes and a second (-want +got):\n%s", diff)
	}
	for range w.Stale(ctx) {
		break // the loop may end early
	}
	w.move(first)
	if diff := cmp.Diff([]string{second.Flow}, w.stale()); diff != "" {
		t.Errorf("stale after one was moved (-want +got):\n%s", diff)
	}
	for s, err := range w.Stale(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		w.move(s) // a row from the index is whole
	}
	w.clock.Advance(24 * time.Hour)
	if got := w.stale(); len(got) != 0 {
		t.Errorf("stale at the end: %q", got)
	}
}

// A choice and a cancellation at the same time: one of them succeeds.
func TestCancelOrChoose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 10 {
		s, _ := w.pending()
		var all sync.WaitGroup
		var cancel, choose error
		all.Go(func() { cancel = w.Cancel(t.Context(), s) })
		all.Go(func() { _, choose = w.Choose(t.Context(), s, 1) })
		all.Wait()
		if (cancel == nil) == (choose == nil) || cancel != nil && !errors.Is(cancel, ErrUsed) || choose != nil && !errors.Is(choose, ErrUsed) {
			t.Errorf("Cancel: %v, Choose: %v, want one of them ErrUsed", cancel, choose)
		}
	}
}

// An attribute of another type is an error that names it and not its value.
func TestWrongType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, v := range map[string]types.AttributeValue{
		"status":     &types.AttributeValueMemberBOOL{Value: true},
		"company_id": &types.AttributeValueMemberN{Value: "90210"},
		"principal":  &types.AttributeValueMemberN{Value: "90210"},
		"client":     &types.AttributeValueMemberN{Value: "90210"},
		"again":      &types.AttributeValueMemberS{Value: "90210"},
		"sealed":     &types.AttributeValueMemberS{Value: "90210"},
	} {
		s, cookie := w.authorized()
		w.overwrite(s.Flow, map[string]types.AttributeValue{name: v})
		_, err := w.Find(t.Context(), s.Flow, cookie)
		if err == nil || !strings.Contains(err.Error(), `"`+name+`"`) || strings.Contains(err.Error(), "90210") {
			t.Errorf("%s: got error %v, want one that names the attribute", name, err)
		}
	}
}
