package credential

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/keys"
)

const (
	key1 = `"k1":"the first key, of more than 32 characters"`
	key2 = `"k2":"the second key, of more than 32 characters"`
)

func parse(t testing.TB, secret string) *Ring {
	t.Helper()
	r, err := Parse(secret)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func header(t testing.TB, r *Ring, company int64) string {
	t.Helper()
	h, err := r.Header(company)
	if err != nil {
		t.Fatal(err)
	}
	return h.Reveal()
}

func TestGood(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"current":"k1",`+key1+`}`)
	for _, company := range []int64{1, 5678, 9007199254740993, 9223372036854775807} {
		h := header(t, r, company)
		if want := fmt.Sprintf("Bearer k1.%d.0.", company); !strings.HasPrefix(h, want) || len(h) != len(want)+43 {
			t.Errorf("Header = %q, want %q and 43 characters", h, want)
		}
		got, err := r.Check(h)
		if want := (Credential{company, "k1", 0, true}); err != nil || got != want {
			t.Errorf("Check = %+v, %v, want %+v", got, err, want)
		}
		if len(h) > maxLength {
			t.Errorf("the longest value has %d characters, want at most %d", len(h), maxLength)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"current":"k1",`+key1+`}`)
	good := header(t, r, 5678)
	value := strings.TrimPrefix(good, "Bearer ")
	mac := value[strings.LastIndex(value, ".")+1:]
	other := header(t, r, 5679)
	otherMAC := other[strings.LastIndex(other, ".")+1:]
	last := map[bool]string{true: "A", false: "Q"}[!strings.HasSuffix(good, "A")]
	for name, h := range map[string]string{
		"nothing":                 "",
		"the scheme alone":        "Bearer ",
		"without a scheme":        value,
		"another scheme":          "Basic " + value,
		"lower case":              "bearer " + value,
		"a blank behind":          good + " ",
		"a blank before":          " " + good,
		"a line behind":           good + "\r\n",
		"duplicated":              good + ", " + good,
		"duplicated, other first": other + "," + good,
		"another company":         "Bearer k1.5679.0." + mac,
		"another company's mac":   "Bearer k1.5678.0." + otherMAC,
		"another epoch":           "Bearer k1.5678.1." + mac,
		"a negative epoch":        "Bearer k1.5678.-1." + mac,
		"a plus":                  "Bearer k1.+5678.0." + mac,
		"leading zeros":           "Bearer k1.05678.00." + mac,
		"no number":               "Bearer k1.x.0." + mac,
		"no company":              "Bearer k1..0." + mac,
		"company 0":               "Bearer k1.0.0." + mac,
		"a negative company":      "Bearer k1.-5678.0." + mac,
		"more than 64 bits":       "Bearer k1.9223372036854775808.0." + mac,
		"no mac":                  "Bearer k1.5678.0.",
		"no mac, no dot":          "Bearer k1.5678.0",
		"a cut mac":               good[:len(good)-1],
		"a changed end":           good[:len(good)-1] + last,
		"a padded mac":            good + "=",
		"a mac in standard form":  "Bearer k1.5678.0." + strings.NewReplacer("-", "+", "_", "/").Replace(mac) + "=",
		"signed for company 0":    header(t, r, 0),
		"signed for company -1":   header(t, r, -1),
		"a fifth part":            good + ".x",
		"a NUL":                   good + "\x00",
		"long":                    "Bearer k1.5678.0." + strings.Repeat("A", 1<<20),
		"long key id":             "Bearer " + strings.Repeat("k", 1<<20) + ".5678.0." + mac,
		"many parts":              "Bearer " + strings.Repeat(".", 1<<20),
	} {
		if got, err := r.Check(h); !errors.Is(err, ErrRefused) || got != (Credential{}) {
			t.Errorf("%s: Check = %+v, %v, want ErrRefused alone", name, got, err)
		}
	}
}

// An unknown key id may be newer than the ring, whatever follows it.
func TestUnknownKey(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"current":"k1",`+key1+`}`)
	for _, id := range []string{"k2", "k01", "K1", " k1", "current", "minimum_epochs", ""} {
		got, err := r.Check("Bearer " + id + ".5678.0.x")
		if !errors.Is(err, keys.ErrUnknown) || got != (Credential{}) {
			t.Errorf("key %q: Check = %+v, %v, want ErrUnknown alone", id, got, err)
		}
	}
}

// Retiring one company's credentials changes nothing for other companies.
func TestEpochs(t *testing.T) {
	t.Parallel()
	before := parse(t, `{"current":"k1",`+key1+`}`)
	after := parse(t, `{"current":"k1",`+key1+`,"minimum_epochs":{"5678":2}}`)
	old, other, renewed := header(t, before, 5678), header(t, before, 5679), header(t, after, 5678)
	if _, err := after.Check(old); !errors.Is(err, ErrRefused) {
		t.Errorf("retired: %v, want ErrRefused", err)
	}
	if got, err := after.Check(other); err != nil || got.CompanyID != 5679 {
		t.Errorf("another company: %+v, %v, want it good", got, err)
	}
	if header(t, after, 5679) != other {
		t.Error("another company's credential changed")
	}
	for name, r := range map[string]*Ring{"new ring": after, "ring that was read before": before} {
		if got, err := r.Check(renewed); err != nil || got.Epoch != 2 || got.CompanyID != 5678 {
			t.Errorf("%s: %+v, %v, want epoch 2 good", name, got, err)
		}
	}
}

// While hooks move to a new key, both keys are valid, and Check reports which one is old.
func TestRotation(t *testing.T) {
	t.Parallel()
	first := parse(t, `{"current":"k1",`+key1+`}`)
	published := parse(t, `{"current":"k1",`+key1+`,`+key2+`}`)
	second := parse(t, `{"current":"k2",`+key1+`,`+key2+`}`)
	retired := parse(t, `{"current":"k2",`+key2+`}`)
	old, renewed := header(t, first, 5678), header(t, second, 5678)
	for _, tt := range []struct {
		name   string
		ring   *Ring
		header string
		want   Credential
		err    error
	}{
		{"published, old", published, old, Credential{5678, "k1", 0, true}, nil},
		{"published, new", published, renewed, Credential{5678, "k2", 0, false}, nil},
		{"in use, old", second, old, Credential{5678, "k1", 0, false}, nil},
		{"in use, new", second, renewed, Credential{5678, "k2", 0, true}, nil},
		{"not read yet, new", first, renewed, Credential{}, keys.ErrUnknown},
		{"retired, old", retired, old, Credential{}, keys.ErrUnknown},
		{"retired, new", retired, renewed, Credential{5678, "k2", 0, true}, nil},
	} {
		if got, err := tt.ring.Check(tt.header); !errors.Is(err, tt.err) || !cmp.Equal(got, tt.want) {
			t.Errorf("%s: Check = %+v, %v, want %+v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
	forged := "Bearer k2" + strings.TrimPrefix(old, "Bearer k1")
	if _, err := second.Check(forged); !errors.Is(err, ErrRefused) {
		t.Errorf("the old mac under the new key's name: %v, want ErrRefused", err)
	}
}

// The secret's error names what is wrong and contains no value.
func TestParse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		secret string
		ok     bool
	}{
		"a ring":               {`{"current":"k1",` + key1 + `}`, true},
		"no epochs":            {`{"current":"k1",` + key1 + `,"minimum_epochs":{}}`, true},
		"null epochs":          {`{"current":"k1",` + key1 + `,"minimum_epochs":null}`, true},
		"epochs":               {`{"current":"k1",` + key1 + `,"minimum_epochs":{"1":0,"9223372036854775807":5}}`, true},
		"another field":        {`{"current":"k1",` + key1 + `,"note":"of the operator"}`, true},
		"epochs in a list":     {`{"current":"k1",` + key1 + `,"minimum_epochs":[1]}`, false},
		"epochs as text":       {`{"current":"k1",` + key1 + `,"minimum_epochs":{"5678":"2"}}`, false},
		"epochs by name":       {`{"current":"k1",` + key1 + `,"minimum_epochs":{"Acme":2}}`, false},
		"a negative epoch":     {`{"current":"k1",` + key1 + `,"minimum_epochs":{"5678":-1}}`, false},
		"an epoch's fraction":  {`{"current":"k1",` + key1 + `,"minimum_epochs":{"5678":1.5}}`, false},
		"epochs of no company": {`{"current":"k1",` + key1 + `,"minimum_epochs":{"0":1}}`, false},
		"no ring":              {`{}`, false},
		"not JSON":             {`the first key, of more than 32 characters`, false},
		"nothing":              {``, false},
	} {
		r, err := Parse(tt.secret)
		if ok := err == nil; ok != tt.ok || (r != nil) != tt.ok {
			t.Errorf("%s: Parse: %v, want an error: %v", name, err, !tt.ok)
		}
		if err != nil && strings.Contains(err.Error(), "the first key") {
			t.Errorf("%s: the key shows: %v", name, err)
		}
		if r != nil {
			if _, err := r.Check(header(t, r, 5678)); err != nil {
				t.Errorf("%s: its own credential: %v", name, err)
			}
		}
	}
}

// Only a value from Header is valid.
func FuzzCheck(f *testing.F) {
	r := parse(f, `{"current":"k1",`+key1+`,`+key2+`,"minimum_epochs":{"7":3}}`)
	good := header(f, r, 5678)
	for _, h := range []string{good, "", "Bearer ", "Bearer k1.5678.0.", "Bearer k2.7.3.x", good + "," + good, "Bearer ....", "Bearer k9.1.1.x"} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, h string) {
		got, err := r.Check(h)
		switch {
		case err == nil:
			want, e := r.Header(got.CompanyID)
			if e != nil || h != want.Reveal() {
				t.Errorf("%q was accepted", h)
			}
		case !errors.Is(err, ErrRefused) && !errors.Is(err, keys.ErrUnknown):
			t.Errorf("%q: %v", h, err)
		}
		if err != nil && got != (Credential{}) {
			t.Errorf("%q: %+v beside %v", h, got, err)
		}
	})
}

// R5: a ring does not print its keys, nor a header its value.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"current":"k1",`+key1+`,"minimum_epochs":{"7":3}}`)
	h, err := r.Header(5678)
	if err != nil {
		t.Fatal(err)
	}
	const key = "the first key, of more than 32 characters"
	secrettest.NotPrinted(t, r, key)
	secrettest.NotPrinted(t, *r, key)
	secrettest.NotPrinted(t, h, h.Reveal())
	secrettest.NotReachable(t, r, key)
}
