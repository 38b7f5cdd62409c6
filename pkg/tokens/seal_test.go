package tokens

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
)

func samePair(a, b procore.Token) bool {
	return a.AccessToken.Equal(b.AccessToken) && a.RefreshToken.Equal(b.RefreshToken) && a.Expiry.Equal(b.Expiry)
}

// A sealed pair opens only in its place.
func TestSeal(t *testing.T) {
	t.Parallel()
	keys := ring(t, "k1", "k1")
	pair := procore.Token{AccessToken: procore.NewSecret("fake-access-1"), RefreshToken: procore.NewSecret("fake-refresh-1"), Expiry: time.Unix(1_800_000_000, 0)}
	home := Place{Environment: "sandbox", Client: ClientHash("app"), Table: "grants", Key: "user#1", Generation: 3}
	sealed, err := keys.Seal(pair, home)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Open(sealed, home); err != nil || !samePair(got, pair) {
		t.Errorf("at home: got an equal pair %t, error %v", samePair(got, pair), err)
	}
	if strings.Contains(string(sealed.Ciphertext), "fake-") {
		t.Error("the sealed pair can be read")
	}
	for name, move := range map[string]func(*Place){
		"another environment": func(p *Place) { p.Environment = "production" },
		"another client":      func(p *Place) { p.Client = ClientHash("another") },
		"another table":       func(p *Place) { p.Table = "sessions" },
		"another row":         func(p *Place) { p.Key = "user#2" },
		"another generation":  func(p *Place) { p.Generation = 4 },
		"shifted fields":      func(p *Place) { p.Table, p.Key = `grants" "user#1`, "" },
	} {
		elsewhere := home
		move(&elsewhere)
		if _, err := keys.Open(sealed, elsewhere); err == nil {
			t.Errorf("%s: the pair opens", name)
		}
	}
	changed := Sealed{sealed.KeyID, append([]byte{}, sealed.Ciphertext...)}
	changed.Ciphertext[len(changed.Ciphertext)/2] ^= 1
	if _, err := keys.Open(changed, home); err == nil {
		t.Error("a changed pair opens")
	}
	if _, err := ring(t, "k2", "k2").Open(sealed, home); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without its key: got error %v, want ErrUnknownKey", err)
	}
}

// Rows sealed with an older key still open; new writes use the current one.
func TestSealKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	both := ring(t, "k2", "k2")
	both.material["k1"] = w.keys.material["k1"]
	old := w.keys
	w.keys = both
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got := w.row(p).pair.KeyID; got != "k2" {
		t.Errorf("the new pair is sealed with %s, want k2", got)
	}
	// A warm process that knows only the old key reads the secret again.
	s := w.store()
	current := old
	s.Keys = secrettest.Func[*Keys](func(_ context.Context, reread bool) (*Keys, error) {
		if reread {
			current = both
		}
		return current, nil
	})
	if _, err := s.Token(t.Context(), p); err != nil {
		t.Error(err)
	}
	// One that cannot read it has no verdict on the grant.
	s = w.store()
	s.Keys = secrettest.Constant(old)
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrTryAgain) || !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got error %v, want ErrTryAgain and ErrUnknownKey", err)
	}
}
