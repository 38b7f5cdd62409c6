package procore

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One odd field of an answer costs that field alone, in every type of this package, and so does a field that is absent or null.
func TestOddFields(t *testing.T) {
	t.Parallel()
	crookedly[Me](t, `{"id":1,"login":"l","name":"n"}`)
	crookedly[Company](t, `{"id":1,"name":"n","is_active":false}`)
	crookedly[CompanyUser](t, `{"id":1,"name":"n","email_address":"e","is_active":true,"updated_at":"2026-04-14T17:55:41Z"}`)
	crookedly[Project](t, `{"id":1,"name":"n","display_name":"d","project_number":"p","active":true,"updated_at":"2026-04-14T17:55:41Z"}`)
	crookedly[RFI](t, `{"id":1,"subject":"s","status":"open","created_at":"2026-04-14T17:55:41Z","updated_at":"2026-04-14T17:55:42Z"}`)
	crookedly[Hook](t, `{"id":"1","status":"active","namespace":"n","destination_url":"u","payload_version":"v3.0","company_id":"2","project_id":"3"}`)
	crookedly[Trigger](t, `{"id":"1","resource_name":"RFIs","event_type":"create"}`)
	crookedly[Delivery](t, `{"id":"1","status":"discarded","payload":{"id":1},"delivery_attempts":[{"id":"2"}]}`)
	crookedly[DeliveryAttempt](t, `{"id":"1","success":true,"response_status":500,"response_body":"b","started_at":"2026-04-14T17:55:41Z","completed_at":"2026-04-14T17:55:42Z"}`)
	crookedly[embedding](t, `{"id":1,"subject":"s","status":"open","created_at":"2026-04-14T17:55:41Z","updated_at":"2026-04-14T17:55:42Z","number":3,"floor_id":"f"}`)
}

func crookedly[T any](t *testing.T, plain string) {
	t.Helper()
	var want T
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(plain), &members); err != nil {
		t.Fatal(err)
	}
	if odd, err := Unmarshal([]byte(plain), &want); err != nil || len(odd) > 0 {
		t.Fatalf("%T: %v, odd %q", want, err, odd)
	}
	for name, field := range fieldsOf(&want) {
		if members[name] == nil || field.IsZero() {
			t.Errorf("%T: the plain form has no %s", want, name)
		}
	}
	original := members
	for name := range original {
		for _, value := range []string{"", "null", `{}`, `{"a":1}`, `[]`, `[1,"x"]`, `"x"`, `""`, `" "`, `-1`, `1.5`, `1e400`, `1e999999999`, `99999999999999999999`, `true`, `"\u0000"`, `"` + strings.Repeat("x", 5000) + `"`} {
			members := map[string]json.RawMessage{}
			for n, v := range original {
				members[strings.ToUpper(n)] = v // in another letter case
			}
			if delete(members, strings.ToUpper(name)); value != "" {
				members[name] = json.RawMessage(value)
			}
			body := object(members)
			var got T
			odd, err := Unmarshal(body, &got)
			if err != nil || slices.ContainsFunc(odd, func(o string) bool { return !strings.HasPrefix(o, name) }) {
				t.Errorf("%T with %s %.30s: %v, odd %q", got, name, value, err, odd)
			}
			for n, field := range fieldsOf(&got) {
				if d := cmp.Diff(field.Interface(), fieldsOf(&want)[n].Interface()); n != name && d != "" {
					t.Errorf("%T with %s %.30s: %s changed (-got +want):\n%s", got, name, value, n, d)
				}
			}
			if list, err := readsAlone[T](body); err != nil || list != 3 {
				t.Errorf("%T with %s %.30s: a list of three has %d items, %v", got, name, value, list, err)
			}
		}
	}
}

// object writes members, which may not be valid on their own in encoding/json, as an object.
func object(members map[string]json.RawMessage) []byte {
	var all []string
	for name, value := range members {
		all = append(all, `"`+name+`":`+string(value))
	}
	return []byte("{" + strings.Join(all, ",") + "}")
}

// readsAlone returns how many items a list with the item among others has.
func readsAlone[T any](item []byte) (int, error) {
	var list []T
	_, err := Unmarshal([]byte("[{},"+string(item)+",7,{},[]]"), &list)
	return len(list), err
}

// fieldsOf returns the fields of a struct by their names in JSON.
func fieldsOf(v any) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	to := reflect.ValueOf(v).Elem()
	for _, f := range reflect.VisibleFields(to.Type()) {
		if field, name, ok := fieldOf(to, f); ok {
			all[name] = field
		}
	}
	return all
}
