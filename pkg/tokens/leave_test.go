package tokens

import (
	"errors"
	"testing"
	"time"

	"procore-connect/pkg/procoretest"
)

// what is said of one connection's company holds for all that were there when it
// was asked.
func TestDisconnectIsTheCompanys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	told, other := w.connect(s), w.authorization()
	other.Key.Principal = User(procoretest.Ann)
	if _, _, err := s.Connect(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	elsewhere := w.authorization()
	elsewhere.Key.CompanyID = 42
	if _, _, err := s.Connect(t.Context(), elsewhere); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), other.Key); err != nil { // so that it is in memory
		t.Fatal(err)
	}
	w.clock.Advance(underWay + time.Second)
	late := w.authorization()
	late.Key.Principal = User(procoretest.Max)
	if _, _, err := s.Connect(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if err := s.Disconnect(t.Context(), told.Key, told.Generation+1); err != nil || w.row(told.Key).State != Active || w.row(other.Key).State != Active {
		t.Errorf("another generation's answer: %v, %s, %s; want both active", err, w.row(told.Key).State, w.row(other.Key).State)
	}
	for range 2 {
		if err := s.Disconnect(t.Context(), told.Key, told.Generation); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[Key]State{told.Key: Disconnected, other.Key: Disconnected, elsewhere.Key: Active, late.Key: Active} {
		if got := w.row(key).State; got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	if _, err := s.Token(t.Context(), other.Key); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got %v from memory, want ErrDisconnected", err)
	}
}

func TestSaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	start := w.clock.Now()
	if got := w.row(c.Key).SeenAt; !got.Equal(start) {
		t.Errorf("seen at %v after the authorization, want %v", got, start)
	}
	for _, tt := range []struct{ at, want time.Time }{
		{start.Add(time.Hour), start.Add(time.Hour)},
		{start.Add(time.Minute), start.Add(time.Hour)}, // a slower process
	} {
		if err := s.Saw(t.Context(), c.Key, tt.at); err != nil {
			t.Fatal(err)
		}
		if got := w.row(c.Key); !got.SeenAt.Equal(tt.want) || !got.LastUsed.Equal(c.LastUsed) {
			t.Errorf("seen at %v, last used at %v; want %v and %v", got.SeenAt, got.LastUsed, tt.want, c.LastUsed)
		}
	}
}
