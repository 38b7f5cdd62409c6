package connections

import (
	"errors"
	"maps"
	"testing"

	"procore-connect/internal/platform/dynamo"
)

// An erasure deletes the rows of a company whose connections have ended, and what is beside them, and no other company's.
func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, user := w.store(), joe
	w.authorize(user)
	all := w.connect(user, 5678, 5679)
	beside := dynamo.Item{"rev": dynamo.Number(3), "write": dynamo.Text("w")}
	maps.Copy(beside, s.Row("5678", "webhook"))
	if err := dynamo.Write(t.Context(), w.db, new(dynamo.Expression).Put(s.Table, beside)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Erase(t.Context(), 5678); n != 0 || !errors.Is(err, ErrInUse) {
		t.Errorf("a connected company: %d rows, %v; want ErrInUse", n, err)
	}
	if err := s.End(t.Context(), all[0].Key, "test"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Erase(t.Context(), 5678); n != 2 || err != nil {
		t.Errorf("got %d rows, %v; want the connection and the webhook's", n, err)
	}
	if n, err := s.Erase(t.Context(), 5678); n != 0 || err != nil {
		t.Errorf("a second time: %d rows, %v", n, err)
	}
	if _, err := s.Connection(t.Context(), all[0].Key); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if got := w.row(all[1].Key).State; got != Connected {
		t.Errorf("the other company is %s", got)
	}
	again := w.connect(user, 5678)
	if err := w.call(s, again[0].Key); err != nil {
		t.Errorf("the company that connected again: %v", err)
	}
}
