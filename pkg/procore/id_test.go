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
		ok   bool
	}{
		{`42`, 42, true},
		{`"42"`, 42, true},
		{`null`, 0, true},
		{`9007199254740993`, 9007199254740993, true},
		{`"9223372036854775807"`, 9223372036854775807, true},
		{`9223372036854775808`, 0, false},
		{`4.2`, 0, false},
		{`1e3`, 0, false},
		{`""`, 0, false},
		{`"abc"`, 0, false},
		{`"\u0034"`, 0, false},
		{`[1]`, 0, false},
		{`true`, 0, false},
	}
	for _, tt := range tests {
		var got struct{ ID ID }
		err := json.Unmarshal([]byte(`{"id":`+tt.json+`}`), &got)
		if (err == nil) != tt.ok || got.ID != tt.want {
			t.Errorf("%s: got %d, %v, want %d, ok %t", tt.json, got.ID, err, tt.want, tt.ok)
		}
	}
}

// Every resource reads REST v1's numbers and REST v2's strings alike, and its other
// fields too.
func TestIDsOfResources(t *testing.T) {
	t.Parallel()
	same(t, `{"id":N,"login":"l","name":"n"}`, Me{9007199254740993, "l", "n"})
	same(t, `{"id":N,"name":"n","is_active":true}`, Company{9007199254740993, "n", true})
	same(t, `{"id":N,"name":"n","email_address":"e"}`, CompanyUser{ID: 9007199254740993, Name: "n", EmailAddress: "e"})
	same(t, `{"id":N,"name":"n","active":true}`, Project{ID: 9007199254740993, Name: "n", Active: true})
	same(t, `{"id":N,"subject":"s"}`, RFI{ID: 9007199254740993, Subject: "s"})
	same(t, `{"id":N,"resource_name":"RFIs","event_type":"CREATE"}`, Trigger{9007199254740993, "RFIs", "create"})
	same(t, `{"id":N,"namespace":"n","owned_by_company_id":N,"owned_by_project_id":null}`,
		Hook{ID: 9007199254740993, Namespace: "n", CompanyID: 9007199254740993})
	same(t, `{"id":N,"namespace":"n","owned_by_company_id":null,"owned_by_project_id":N}`,
		Hook{ID: 9007199254740993, Namespace: "n", ProjectID: 9007199254740993})
}

func same[T any](t *testing.T, text string, want T) {
	t.Helper()
	for _, n := range []string{"9007199254740993", `"9007199254740993"`} {
		var got T
		err := json.Unmarshal([]byte(strings.ReplaceAll(text, "N", n)), &got)
		if d := cmp.Diff(got, want); d != "" || err != nil {
			t.Errorf("%T with id %s: %v (-got +want):\n%s", got, n, err, d)
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
			if err := decode(body, 200, c, v); err != nil && len(err.Error()) > 200 {
				t.Errorf("%T: an error of %d bytes", v, len(err.Error()))
			}
		}
		var info TokenInfo
		if info, _ = decodeTokenInfo(body); info.UserID < 0 || info.ExpiresIn < 0 || info.ExpiresIn > maxLifetime {
			t.Errorf("got %+v", info)
		}
		// A number and a string of the same digits are the same id.
		var number, text ID
		if json.Unmarshal(body, &number) == nil && number != 0 {
			if err := json.Unmarshal([]byte(`"`+number.String()+`"`), &text); err != nil || text != number {
				t.Errorf("%s: got %d, %v", body, text, err)
			}
		}
	})
}
