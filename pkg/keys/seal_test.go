package keys

import (
	"errors"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

// newRing returns a ring of long keys. Each id has its own.
func newRing(t *testing.T, current string, ids ...string) *Ring {
	t.Helper()
	r := &Ring{current: current, material: map[string]procore.Secret{}}
	for _, id := range ids {
		r.material[id] = procore.NewSecret(strings.Repeat(id, 20))
	}
	return r
}

func samePair(a, b procore.Token) bool {
	return a.AccessToken.Equal(b.AccessToken) && a.RefreshToken.Equal(b.RefreshToken) && a.Expiry.Equal(b.Expiry)
}

// A sealed pair opens only in its place.
func TestSeal(t *testing.T) {
	t.Parallel()
	r := newRing(t, "k1", "k1")
	pair := procore.Token{AccessToken: procore.NewSecret("fake-access-1"), RefreshToken: procore.NewSecret("fake-refresh-1"), Expiry: time.Unix(1_800_000_000, 0)}
	home := Place{Environment: "sandbox", Client: "app", Table: "grants", Key: "user#1", Generation: 3}
	sealed, err := r.Seal(pair, home)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Open(sealed, home); err != nil || !samePair(got, pair) {
		t.Errorf("at home: got an equal pair %t, error %v", samePair(got, pair), err)
	}
	if strings.Contains(string(sealed.Ciphertext), "fake-") {
		t.Error("the sealed pair can be read")
	}
	for name, move := range map[string]func(*Place){
		"another environment": func(p *Place) { p.Environment = "production" },
		"another client":      func(p *Place) { p.Client = "another" },
		"another table":       func(p *Place) { p.Table = "sessions" },
		"another row":         func(p *Place) { p.Key = "user#2" },
		"another generation":  func(p *Place) { p.Generation = 4 },
		"shifted fields":      func(p *Place) { p.Table, p.Key = `grants" "user#1`, "" },
	} {
		elsewhere := home
		move(&elsewhere)
		if _, err := r.Open(sealed, elsewhere); err == nil {
			t.Errorf("%s: the pair opens", name)
		}
	}
	changed := Sealed{sealed.KeyID, append([]byte{}, sealed.Ciphertext...)}
	changed.Ciphertext[len(changed.Ciphertext)/2] ^= 1
	if _, err := r.Open(changed, home); err == nil {
		t.Error("a changed pair opens")
	}
	if _, err := newRing(t, "k2", "k2").Open(sealed, home); !errors.Is(err, ErrUnknown) {
		t.Errorf("without its key: got error %v, want ErrUnknown", err)
	}
}
