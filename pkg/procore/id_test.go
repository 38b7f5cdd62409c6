package procore

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		json string
		want ID
		fits bool
	}{
		{`42`, "42", true},
		{`"42"`, "42", true},
		{`null`, "", true},
		{`9007199254740993`, "9007199254740993", true},
		{`"9223372036854775807"`, "9223372036854775807", true},
		{`9223372036854775808`, "9223372036854775808", true},
		{`"01KP6C2VB5SNYAE2N0FMWSXNVE"`, "01KP6C2VB5SNYAE2N0FMWSXNVE", true},
		{`"0194e6f3-7b1a-7cc0-8f3e-2d9a1b2c3d4e"`, "0194e6f3-7b1a-7cc0-8f3e-2d9a1b2c3d4e", true},
		{`"42 "`, "42", true},
		{`"\u0034"`, "4", true},
		{`-1`, "-1", true},
		{`42.0`, "42", true},
		{`1e3`, "1000", true},
		{`""`, "", true},
		{`4.2`, "", false},
		{`1e999999999`, "", false},
		{`[1]`, "", false},
		{`{"id":1}`, "", false},
		{`true`, "", false},
	}
	for _, tt := range tests {
		body := []byte(`{"id":` + tt.json + `,"name":"n"}`)
		type item struct {
			ID   ID
			Name string
		}
		var strict, got item
		if err := json.Unmarshal(body, &strict); err != nil || strict != (item{tt.want, "n"}) {
			t.Errorf("encoding/json: %s: got %v, %v, want %q", tt.json, strict, err, tt.want)
		}
		odd, err := Unmarshal(body, &got)
		if err != nil || got != (item{tt.want, "n"}) || (len(odd) == 0) != tt.fits {
			t.Errorf("%s: got %v, odd %q, %v, want %q, fits %t", tt.json, got, odd, err, tt.want, tt.fits)
		}
	}
}

func TestIDOfNumber(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{42, 9007199254740993, -1} {
		if got, ok := NewID(n).Int64(); got != n || !ok {
			t.Errorf("%d: got %d, %t", n, got, ok)
		}
	}
	if got := NewID(0); got != "" {
		t.Errorf("0: got %q", got)
	}
	if n, ok := ID("01KP6C2VB5SNYAE2N0FMWSXNVE").Int64(); n != 0 || ok {
		t.Errorf("a ULID is the number %d, %t", n, ok)
	}
	if b, err := json.Marshal(NewID(42)); string(b) != `"42"` || err != nil {
		t.Errorf("in JSON: %s, %v", b, err)
	}
}

// Every resource reads REST v1's numbers and REST v2's strings alike, and its other
// fields too.
func TestIDsOfResources(t *testing.T) {
	t.Parallel()
	yes := true
	same(t, `{"id":N,"login":"l","name":"n"}`, Me{9007199254740993, "l", "n"})
	same(t, `{"id":N,"name":"n","is_active":true}`, Company{9007199254740993, "n", &yes})
	same(t, `{"id":N,"name":"n","email_address":"e"}`, CompanyUser{ID: 9007199254740993, Name: "n", EmailAddress: "e"})
	same(t, `{"id":N,"name":"n","active":true}`, Project{ID: 9007199254740993, Name: "n", Active: true})
	same(t, `{"id":N,"subject":"s"}`, RFI{ID: 9007199254740993, Subject: "s"})
	same(t, `{"id":N,"resource_name":"RFIs","event_type":"CREATE"}`, Trigger{"9007199254740993", "RFIs", "create"})
	same(t, `{"id":N,"namespace":"n","company_id":N,"project_id":null}`,
		Hook{ID: "9007199254740993", Namespace: "n", CompanyID: 9007199254740993})
	same(t, `{"id":N,"namespace":"n","company_id":null,"project_id":N}`,
		Hook{ID: "9007199254740993", Namespace: "n", ProjectID: 9007199254740993})
}

func same[T any](t *testing.T, text string, want T) {
	t.Helper()
	for _, n := range []string{"9007199254740993", `"9007199254740993"`} {
		var got T
		odd, err := Unmarshal([]byte(strings.ReplaceAll(text, "N", n)), &got)
		if d := cmp.Diff(got, want); d != "" || err != nil || len(odd) > 0 {
			t.Errorf("%T with id %s: odd %q, %v (-got +want):\n%s", got, n, odd, err, d)
		}
	}
}

// Decoding a 2xx answer returns a value or a short error, whatever it contains.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"data":[{"id":"9007199254740993","namespace":"acme","owned_by_company_id":5678,"destination_headers":{"Authorization":"*****"}}]}`), true)
	f.Add([]byte(`[{"id":43593499,"api_version":"v3.0","owned_by_project_id":null}]`), false)
	f.Add([]byte(`{"data":null}`), true)
	f.Add([]byte(`[{"id":1e3},{"id":"x"},null]`), false)
	f.Add([]byte(`[{"id":1,"updated_at":"`+strings.Repeat("2026-", 3000)+`"}]`), false)
	f.Fuzz(func(t *testing.T, body []byte, v2 bool) {
		c := call{method: "GET", path: "/rest/v1.0/x"}
		if v2 {
			c.path = "/rest/v2.0/x"
		}
		for _, v := range []any{new([]Hook), new([]Project), new([]Delivery), new(map[string]time.Time)} {
			if _, err := decode(body, 200, c, v); err != nil && len(err.Error()) > 200 {
				t.Errorf("%T: an error of %d bytes", v, len(err.Error()))
			}
		}
		var info TokenInfo
		if info, _ = decodeTokenInfo(body); info.UserID < 0 || info.ExpiresIn < 0 || info.ExpiresIn > maxLifetime {
			t.Errorf("got %+v", info)
		}
		// A number and a string of the same digits are the same id.
		var number, text ID
		_ = json.Unmarshal(body, &number)
		if n, ok := number.Int64(); ok {
			if err := json.Unmarshal([]byte(`"`+NewID(n)+`"`), &text); err != nil || text != NewID(n) {
				t.Errorf("%s: got %q, %v", body, text, err)
			}
		}
	})
}
