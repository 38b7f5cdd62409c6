package procore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

func TestOwnWrites(t *testing.T) {
	t.Parallel()
	const path = "/rest/v1.0/projects/7/rfis/42"
	f := serve(t, map[string]http.HandlerFunc{
		"PATCH " + path: answers(200, `{"id":42,"updated_at":"2026-04-14T17:55:41Z"}`),
		"POST /rest/v2.0/companies/1/projects/7/prime_contracts": answers(201, `{"data":{"id":"43","updated_at":"2026-04-14T17:55:41.000Z"}}`),
		"PUT " + path: answers(200, ``),
		"GET " + path: answers(200, `{"id":44,"updated_at":"2026-04-14T17:55:41Z"}`),
	})
	var own OwnWrites
	c := NewCompanyClient(f.env(), f.Client(), testCompany, WithOwnWrites(&own))
	for _, method := range []string{"PATCH", "PUT", "GET"} {
		if _, err := send[json.RawMessage](t.Context(), &c.api, method, path, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Post[json.RawMessage](t.Context(), c, "/rest/v2.0/companies/1/projects/7/prime_contracts", nil, nil); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		company  int64
		resource string
		want     bool
	}{
		"as it was left":    {testCompany, `{"id":"42","title":"x","updated_at":"2026-04-14T17:55:41.000000Z"}`, true},
		"another zone":      {testCompany, `{"id":42,"updated_at":"2026-04-14T19:55:41+02:00"}`, true},
		"of REST v2":        {testCompany, `{"id":43,"updated_at":"2026-04-14T17:55:41Z"}`, true},
		"changed since":     {testCompany, `{"id":42,"updated_at":"2026-04-14T17:55:42Z"}`, false},
		"another company":   {1, `{"id":42,"updated_at":"2026-04-14T17:55:41Z"}`, false},
		"only read":         {testCompany, `{"id":44,"updated_at":"2026-04-14T17:55:41Z"}`, false},
		"without a time":    {testCompany, `{"id":42}`, false},
		"not an object":     {testCompany, `[]`, false},
		"without an id":     {testCompany, `{"updated_at":"2026-04-14T17:55:41Z"}`, false},
		"an odd updated_at": {testCompany, `{"id":42,"updated_at":{}}`, false},
	}
	for name, tt := range tests {
		if got := own.Made(tt.company, []byte(tt.resource)); got != tt.want {
			t.Errorf("%s: got %t, want %t", name, got, tt.want)
		}
	}
	for id, want := range map[ID]bool{"42": true, "43": true, "44": false, "": false} {
		if got := own.Knows(testCompany, id); got != want {
			t.Errorf("a write of %q is known: %t, want %t", id, got, want)
		}
	}
	if own.Knows(1, "42") {
		t.Error("a write in another company is known")
	}
}

// It does not grow, and forgets the oldest write.
func TestOwnWritesAreBounded(t *testing.T) {
	t.Parallel()
	var own OwnWrites
	write := func(n int) []byte { return fmt.Appendf(nil, `{"id":%d,"updated_at":"2026-04-14T17:55:41Z"}`, n) }
	for n := range maxOwnWrites + 1 {
		own.remember(1, write(n+1))
		own.remember(1, write(n+1)) // again
	}
	if own.Made(1, write(1)) || !own.Made(1, write(2)) || !own.Made(1, write(maxOwnWrites+1)) || len(own.known) != maxOwnWrites {
		t.Errorf("%d writes are known, the oldest %t, the latest %t", len(own.known), own.Made(1, write(1)), own.Made(1, write(maxOwnWrites+1)))
	}
}
