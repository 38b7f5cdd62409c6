package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

const (
	oldKey     = "old-link-key-0123456789-0123456789-0123456789"
	currentKey = "new-link-key-0123456789-0123456789-0123456789"
)

var now = time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)

func ring(t testing.TB) *Keys {
	t.Helper()
	k, err := ParseKeys(`{"current":"k2","k1":"` + oldKey + `","k2":"` + currentKey + `"}`)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// token makes a token with nothing but the standard library, as a host in another language does.
func token(t testing.TB, header, claims map[string]any, key string, sum func() hash.Hash) string {
	t.Helper()
	var parts []string
	for _, part := range []any{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(text))
	}
	mac := hmac.New(sum, []byte(key))
	mac.Write([]byte(strings.Join(parts, ".")))
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(mac.Sum(nil))), ".")
}

var challenge = Challenge(procore.NewSecret("verifier"))

// with returns the claims of a good link, with changes; nil removes a claim.
func with(changes map[string]any) map[string]any {
	all := map[string]any{"ref": "tenant-42", "tenant": "Acme Corp", "challenge": challenge, "exp": now.Add(time.Minute).Unix()}
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

func TestVerify(t *testing.T) {
	t.Parallel()
	k := ring(t)
	hs256 := map[string]any{"alg": "HS256", "typ": "JWT"}
	signed := func(changes map[string]any) string { return token(t, hs256, with(changes), currentKey, sha256.New) }
	good := signed(nil)
	part := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	is := func(at time.Duration) map[string]any { return map[string]any{"exp": now.Add(at).Unix()} }
	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"good":                          {good, nil},
		"by the key before":             {token(t, hs256, with(nil), oldKey, sha256.New), nil},
		"with a kid":                    {token(t, map[string]any{"alg": "HS256", "kid": "k9"}, with(nil), currentKey, sha256.New), nil},
		"another claim":                 {signed(map[string]any{"iss": "host", "jti": 1}), nil},
		"an hour":                       {signed(is(MaxLifetime)), nil},
		"expired within the skew":       {signed(is(-skew + time.Second)), nil},
		"longest":                       {signed(map[string]any{"ref": strings.Repeat("x", MaxReference), "tenant": strings.Repeat("\u00e9", MaxTenant)}), nil},
		"expired":                       {signed(is(-time.Minute)), ErrExpired},
		"never expires":                 {signed(map[string]any{"exp": nil}), ErrInvalid},
		"valid for too long":            {signed(is(MaxLifetime + time.Minute)), ErrInvalid},
		"not valid yet":                 {signed(map[string]any{"nbf": now.Add(time.Minute).Unix()}), ErrInvalid},
		"no reference":                  {signed(map[string]any{"ref": nil}), ErrInvalid},
		"a blank in the reference":      {signed(map[string]any{"ref": "a b"}), ErrInvalid},
		"a line break in the reference": {signed(map[string]any{"ref": "a\nb"}), ErrInvalid},
		"an accent in the reference":    {signed(map[string]any{"ref": "\u00e9"}), ErrInvalid},
		"a reference too long":          {signed(map[string]any{"ref": strings.Repeat("x", MaxReference+1)}), ErrInvalid},
		"a fraction as reference":       {signed(map[string]any{"ref": 1.5}), ErrInvalid},
		"an object as reference":        {signed(map[string]any{"ref": map[string]any{}}), ErrInvalid},
		"no tenant":                     {signed(map[string]any{"tenant": " "}), ErrInvalid},
		"a tenant too long":             {signed(map[string]any{"tenant": strings.Repeat("x", MaxTenant+1)}), ErrInvalid},
		"no challenge":                  {signed(map[string]any{"challenge": nil}), ErrInvalid},
		"a challenge too short":         {signed(map[string]any{"challenge": challenge[1:]}), ErrInvalid},
		"a padded challenge":            {signed(map[string]any{"challenge": challenge + "="}), ErrInvalid},
		"by another key":                {token(t, hs256, with(nil), "another-"+currentKey, sha256.New), ErrInvalid},
		"by an empty key":               {token(t, hs256, with(nil), "", sha256.New), ErrInvalid},
		"without a signature":           {part[0] + "." + part[1] + ".", ErrInvalid},
		"alg none":                      {none + "." + part[1] + ".", ErrInvalid},
		"alg none, signed":              {none + "." + part[1] + "." + part[2], ErrInvalid},
		"HS512":                         {token(t, map[string]any{"alg": "HS512"}, with(nil), currentKey, sha512.New), ErrInvalid},
		"other claims, same signature":  {part[0] + "." + strings.Split(signed(map[string]any{"ref": "tenant-43"}), ".")[1] + "." + part[2], ErrInvalid},
		"a redemption":                  {redemption(t, k), ErrInvalid},
		"empty":                         {"", ErrInvalid},
		"dots":                          {"..", ErrInvalid},
		"four parts":                    {good + ".x", ErrInvalid},
		"too long":                      {signed(map[string]any{"more": strings.Repeat("x", maxToken)}), ErrInvalid},
	} {
		got, err := k.Verify(tt.token, now)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if err == nil && got.Reference == "" || err != nil && tt.token != "" && strings.Contains(err.Error(), tt.token) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func redemption(t testing.TB, k *Keys) string {
	t.Helper()
	token, err := k.SignRedemption(now)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Many hosts number their tenants.
func TestNumberedTenants(t *testing.T) {
	t.Parallel()
	signed := token(t, map[string]any{"alg": "HS256"}, with(map[string]any{"ref": json.Number("12345678901234567890")}), currentKey, sha256.New)
	if got, err := ring(t).Verify(signed, now); err != nil || got.Reference != "12345678901234567890" {
		t.Errorf("%+v, %v, want the digits", got, err)
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	k := ring(t)
	want := Link{Reference: "tenant-42", Tenant: "Acme & S\u00f6hne", Challenge: challenge, Expires: now.Add(time.Hour)}
	signed, err := k.Sign(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Verify(signed, now)
	if got.Expires = got.Expires.UTC(); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for claim, bad := range map[string]Link{
		"ref":       {Reference: "tenant 42", Tenant: "Acme", Challenge: challenge},
		"tenant":    {Reference: "tenant-42", Challenge: challenge},
		"challenge": {Reference: "tenant-42", Tenant: "Acme", Challenge: "verifier"},
	} {
		// The one who signs has a good key, and reads of the claim alone.
		if _, err := k.Sign(bad); !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), "link: "+claim+" has to be ") {
			t.Errorf("a bad %s: %v", claim, err)
		}
	}
}

func TestVerifyRedemption(t *testing.T) {
	t.Parallel()
	k := ring(t)
	signed := func(audience any, valid time.Duration) string {
		return token(t, map[string]any{"alg": "HS256"}, map[string]any{"aud": audience, "exp": now.Add(valid).Unix()}, currentKey, sha256.New)
	}
	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"ours":               {redemption(t, k), nil},
		"another language's": {signed("redeem", time.Minute), nil},
		"a list":             {signed([]string{"other", "redeem"}, maxRedemption), nil},
		"another audience":   {signed("other", time.Minute), ErrInvalid},
		"no audience":        {signed(nil, time.Minute), ErrInvalid},
		"valid for too long": {signed("redeem", time.Hour), ErrInvalid},
		"expired":            {signed("redeem", -time.Hour), ErrExpired},
		"a link":             {token(t, map[string]any{"alg": "HS256"}, with(nil), currentKey, sha256.New), ErrInvalid},
	} {
		if err := k.VerifyRedemption(tt.token, now); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(token(f, map[string]any{"alg": "HS256"}, with(nil), currentKey, sha256.New))
	f.Add("..")
	k := ring(f)
	f.Fuzz(func(t *testing.T, signed string) {
		if l, err := k.Verify(signed, now); err == nil && l.check() != nil {
			t.Errorf("%q is taken for %+v", signed, l)
		}
	})
}
