package connections

import (
	"slices"
	"testing"

	"procore-connect/pkg/tokens"
)

// The list has what a list shows of each connection, with changes of its state, until it ends. A write that changes nothing
// of it does not change the index.
func TestListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	all := w.connect(joe, acme, elm)
	if err := s.AddServiceAccount(t.Context(), 7002, "Installed Inc.", WebhooksActive); err != nil {
		t.Fatal(err)
	}
	listed := func() map[Key]Connection {
		t.Helper()
		found := map[Key]Connection{}
		for shard := range Shards {
			for c, err := range s.Listed(t.Context(), shard) {
				if err != nil {
					t.Fatal(err)
				}
				found[c.Key] = c
			}
		}
		return found
	}
	got, want := listed(), w.row(all[0].Key)
	if c := got[want.Key]; len(got) != 3 || c.State != Connected || c.CompanyName != want.CompanyName || c.UserName != want.UserName || !c.ConnectedAt.Equal(want.ConnectedAt) || c.Webhooks != want.Webhooks {
		t.Errorf("got %d connections, %+v, want %+v", len(got), c, want)
	}
	if c := got[Key{7002, tokens.App}]; c.CompanyName != "Installed Inc." {
		t.Errorf("got %+v for the service account", c)
	}
	if c := got[want.Key]; c.Transitions != nil || !c.SeenAt.IsZero() || !c.CheckAt.IsZero() {
		t.Errorf("the index has what no list shows: %+v", c)
	}
	if err := s.Disconnect(t.Context(), w.row(all[0].Key)); err != nil {
		t.Fatal(err)
	}
	if c := listed()[all[0].Key]; c.State != Disconnected || c.Reason == "" || c.ReasonAt.IsZero() {
		t.Errorf("got %+v after the app was disconnected", c)
	}
	if err := s.End(t.Context(), all[1].Key, "revoked"); err != nil {
		t.Fatal(err)
	}
	if got := listed(); len(got) != 2 || slices.ContainsFunc(all[1:], func(c Connection) bool { return got[c.Key].Rev != 0 }) {
		t.Errorf("got %v after one has ended", got)
	}
}
