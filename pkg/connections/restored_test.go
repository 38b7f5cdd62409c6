package connections

import (
	"testing"

	"procore-connect/internal/testing/fake/dynamotest"
)

// A grant that was restored is released by the companies that have ended since, and by no others.
func TestReleaseEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	all := w.connect(joe, acme, brick)
	restore := w.backup(w.names.Grants)
	for i, gone := range []bool{false, true} {
		if err := s.End(t.Context(), all[0].Key, "asked for"); err != nil {
			t.Fatal(err)
		}
		if gone {
			if _, err := s.Erase(t.Context(), acme); err != nil {
				t.Fatal(err)
			}
		}
		restore()
		w.wantHolders(joe, acme, brick)
		for _, c := range all {
			if got, err := w.store().ReleaseEnded(t.Context(), c.Key); err != nil || got != (c.CompanyID == acme) {
				t.Errorf("%d: %s was released: %v, %v", i, c.Key, got, err)
			}
		}
		w.wantHolders(joe, brick)
		w.wantConsistent()
		if got, err := w.store().ReleaseEnded(t.Context(), all[0].Key); err != nil || got {
			t.Errorf("%d: released again: %v, %v", i, got, err)
		}
	}
	if got, err := s.ReleaseEnded(t.Context(), Key{acme, "user#404"}); err != nil || got {
		t.Errorf("without a grant: %v, %v", got, err)
	}
}

// A user who connects the company in that moment keeps the grant for it.
func TestReleaseEndedBesideConnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.connect(joe, acme, brick)[0].Key
	restore := w.backup(w.names.Grants)
	if err := w.store().End(t.Context(), k, "asked for"); err != nil {
		t.Fatal(err)
	}
	restore()
	w.once(1, "TransactWriteItems", func() dynamotest.Fault {
		w.faults(nil)
		w.connect(joe, acme)
		return dynamotest.Fault{}
	})
	if got, err := w.store().ReleaseEnded(t.Context(), k); err != nil || got {
		t.Errorf("released: %v, %v", got, err)
	}
	w.wantHolders(joe, acme, brick)
	if err := w.call(w.store(), k); err != nil {
		t.Error(err)
	}
	w.wantConsistent()
}
