package announce

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// refer sets the reference of a connection.
func (a *announced) refer(company int64, reference string) error {
	return a.on(company, func(c connections.Connection) error {
		_, err := a.connections.SetReference(a.t.Context(), c, reference)
		return err
	})
}

// tenants returns what hosts learn of the changes since the last call, as "state reference company", and checks the
// rest of each announcement. What concerns no host has no attribute.
func (a *announced) tenants() (all []string) {
	a.t.Helper()
	before := len(a.topics.Published(topic))
	a.messages()
	for _, p := range a.topics.Published(topic)[before:] {
		if p.Attributes == nil {
			if p.Subject == "" || strings.Contains(p.Message, "reference") {
				a.t.Errorf("the operator gets %+v", p)
			}
			continue
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(p.Message), &got); err != nil {
			a.t.Fatal(err)
		}
		state, reference, company := got["state"].(string), got["reference"].(string), int64(got["company_id"].(float64))
		if d := cmp.Diff(p.Attributes, map[string]string{"state": state, "reference": reference}); d != "" {
			a.t.Errorf("attributes (-got +want):\n%s", d)
		}
		row, err := a.connections.Connection(a.t.Context(), keyOf(company))
		want := map[string]any{"state": state, "reference": reference, "company_id": float64(company), "principal": string(joe), "rev": float64(row.Rev)}
		at, _ := got["at"].(string)
		delete(got, "at")
		if d := cmp.Diff(got, want); d != "" || err != nil || !strings.HasSuffix(at, "Z") || p.Subject != "" {
			a.t.Errorf("%v, at %q, subject %q (-got +want):\n%s", err, at, p.Subject, d)
		}
		all = append(all, fmt.Sprint(state, " ", reference, " ", company))
	}
	return all
}

// A host learns what becomes of its tenant's connection, and no more often than it changes. Without a reference there is
// no announcement for it.
func TestTenants(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t)
	const mine, other, third = procoretest.MyConstruction, procoretest.HarborHill, int64(777)
	end := func(company int64) func() error {
		return func() error { return a.connections.End(t.Context(), keyOf(company), "on purpose") }
	}
	for _, step := range []struct {
		what string
		do   func() error
		want []string
	}{
		{"authorized", a.authorize, nil},
		{"connected", func() error { return a.connect(mine) }, nil},
		{"another company", func() error { return a.connect(other) }, nil},
		{"a third, which no host knows", func() error { return a.connect(third) }, nil},
		{"redeemed", func() error { return a.refer(mine, "t1") }, []string{"connected t1 5678"}},
		{"redeemed once more", func() error { return a.refer(mine, "t1") }, nil},
		{"the other one redeemed", func() error { return a.refer(other, "t2") }, []string{"connected t2 4294967311"}},
		{"an admin has to act for the webhook", func() error { return a.webhooks(mine, connections.WebhooksNeedsAdmin) }, nil},
		{"no longer", func() error { return a.webhooks(mine, connections.WebhooksActive) }, nil},
		{"refreshed", func() error { return a.refresh(false) }, nil},
		{"refused", func() error { return a.refresh(true) }, []string{"needs_user t1 5678", "needs_user t2 4294967311"}},
		{"the dead grant is held by one less", end(third), nil},
		{"authorized again", a.authorize, []string{"connected t1 5678", "connected t2 4294967311"}},
		{"connected again", func() error { return a.connect(mine) }, []string{"connected t1 5678"}},
		{"disconnected", func() error { return a.disconnect(mine) }, []string{"disconnected t1 5678"}},
		{"refused while one is disconnected", func() error { return a.refresh(true) }, []string{"needs_user t2 4294967311"}},
		{"authorized a third time", a.authorize, []string{"connected t2 4294967311"}},
		{"connected after that", func() error { return a.connect(mine) }, []string{"connected t1 5678"}},
		{"redeemed for another tenant", func() error { return a.refer(mine, "t3") }, []string{"ended t1 5678", "connected t3 5678"}},
		{"ended", end(mine), []string{"ended t3 5678"}},
		{"connected after its end", func() error { return a.connect(mine) }, nil},
		{"redeemed after its end", func() error { return a.refer(mine, "t1") }, []string{"connected t1 5678"}},
		{"disconnected, and ended", func() error {
			if err := a.disconnect(other); err != nil {
				return err
			}
			return end(other)()
		}, []string{"disconnected t2 4294967311", "ended t2 4294967311"}},
		{"erased", func() error {
			_, err := a.connections.Erase(t.Context(), other)
			return err
		}, nil},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if step.what == "disconnected, and ended" { // the row has the revision of the second one
			records := recorded(t, a.server, a.names.Connections)
			a.told[a.names.Connections] = len(records)
			if got := a.both(records[len(records)-2:]); !slices.Equal(got, step.want) {
				t.Errorf("%s: got %q, want %q", step.what, got, step.want)
			}
			continue
		}
		got := a.tenants()
		if strings.HasPrefix(step.what, "refused") || strings.HasPrefix(step.what, "authorized") { // holders in any order
			slices.Sort(got)
			slices.Sort(step.want)
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("%s: got %q, want %q", step.what, got, step.want)
		}
	}
}

// both returns what records announce to hosts, in their order.
func (a *announced) both(records []json.RawMessage) (all []string) {
	for _, record := range records {
		var r Record
		if err := json.Unmarshal(record, &r); err != nil {
			a.t.Fatal(err)
		}
		for _, one := range r.tenants() {
			all = append(all, fmt.Sprint(one.State, " ", one.Reference, " ", one.CompanyID))
		}
	}
	return all
}

// Rows that a restore puts back, or that are deleted though they have not ended, are announced. What is no connection, or
// has no reference that could have been set, is not.
func TestTenantsOfOddRecords(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t)
	const row = `{"company":{"S":"custom#5678"},"principal":{"S":"user#1234567"},"rev":{"N":"7"},"connected_at_ms":{"N":"1"},"state":{"S":"%s"},"reference":{"S":"%s"}}`
	image := func(state, reference string) string { return fmt.Sprintf(row, state, reference) }
	for _, tt := range []struct {
		event, now, was string
		want            []string
	}{
		{"INSERT", image("connected", "t1"), "{}", []string{"connected t1 5678"}},
		{"INSERT", image("disconnected", "t1"), "{}", []string{"disconnected t1 5678"}},
		{"INSERT", image("ended", "t1"), "{}", nil},
		{"INSERT", image("connected", "t 1"), "{}", nil},
		{"INSERT", image("unknown", "t1"), "{}", nil},
		{"REMOVE", "{}", image("connected", "t1"), []string{"ended t1 5678"}},
		{"REMOVE", "{}", image("ended", "t1"), nil},
		{"MODIFY", `{"company":{"S":"custom#5678"},"principal":{"S":"user#1234567"},"rev":{"N":"7"},"state":{"S":"connected"}}`, image("ended", "t1"), nil},
		{"MODIFY", image("ended", "t2"), image("disconnected", "t1"), []string{"ended t1 5678"}},
	} {
		record := fmt.Sprintf(`{"eventName":%q,"dynamodb":{"SequenceNumber":"1","NewImage":%s,"OldImage":%s}}`, tt.event, tt.now, tt.was)
		before := len(a.topics.Published(topic))
		if failed := a.handle([]json.RawMessage{json.RawMessage(record)}, ConnectionFilters()); failed != "" {
			t.Errorf("%s is to be repeated", record)
		}
		var got []string
		for _, p := range a.topics.Published(topic)[before:] {
			if p.Attributes != nil {
				got = append(got, p.Attributes["state"]+" "+p.Attributes["reference"]+" 5678")
			}
			if p.Attributes != nil && (!strings.Contains(p.Message, `"company_id":5678,"principal":"user#1234567","rev":7`) || strings.Contains(p.Message, `"at"`)) {
				t.Errorf("got %s", p.Message)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", record, got, tt.want)
		}
	}
}

// A record is repeated while the holders' connections cannot be read, or an announcement is refused. The operator's mail
// is sent once. A row that cannot be understood is reported, and keeps nothing back.
func TestHoldersAreRepeated(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t)
	const mine, other = procoretest.MyConstruction, procoretest.HarborHill
	for _, step := range []func() error{
		a.authorize, func() error { return a.connect(mine) }, func() error { return a.connect(other) },
		func() error { return a.refer(mine, "t1") }, func() error { return a.refer(other, "t2") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	a.messages()
	if err := a.refresh(true); err != nil {
		t.Fatal(err)
	}
	records := recorded(t, a.server, a.names.Grants)
	last := records[len(records)-1:]
	before := len(a.topics.Published(topic))
	a.server.Intercept(func(operation string, body []byte) dynamotest.Fault {
		if operation == "GetItem" && strings.Contains(string(body), `"`+a.names.Connections+`"`) {
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	if failed := a.handle(last, GrantFilters()); failed == "" || len(a.topics.Published(topic)) != before {
		t.Errorf("storage is down: to be repeated from %q, %d announcements", failed, len(a.topics.Published(topic))-before)
	}
	a.server.Intercept(nil)
	if err := a.tamper(mine); err != nil { // so that one announcement alone is under way when the topic fails
		t.Fatal(err)
	}
	a.topics.Fail(&awstest.Error{Code: "Throttled", Message: "on purpose"})
	if failed := a.handle(last, GrantFilters()); failed == "" {
		t.Error("the topic is down: nothing is to be repeated")
	}
	a.topics.Fail(nil)
	if failed := a.handle(last, GrantFilters()); failed != "" {
		t.Errorf("then to be repeated from %q", failed)
	}
	var got []string
	for _, p := range a.topics.Published(topic)[before:] {
		got = append(got, p.Attributes["reference"]+" "+p.Attributes["state"]+" "+p.Subject)
	}
	if want := []string{"t2 needs_user ", "  " + subject}; !slices.Equal(got, want) || !strings.Contains(a.log.String(), "connection not read") {
		t.Errorf("got %q, want %q, and a line about the other row in\n%s", got, want, a.log.String())
	}
}

// Every change of a connection with a reference passes the filters, and of a grant those that are announced. The refreshes
// do not.
func TestFiltersOfTenants(t *testing.T) {
	t.Parallel()
	grant := func(was, now string) string {
		return fmt.Sprintf(`{"eventName":"MODIFY","dynamodb":{"NewImage":{"state":{"S":%q}},"OldImage":{"state":{"S":%q}}}}`, now, was)
	}
	for record, want := range map[string]bool{
		grant("active", "reauthorize"): true, grant("reauthorize", "active"): true, grant("active", "active"): false, grant("uncertain", "active"): false,
	} {
		var decoded any
		if err := json.Unmarshal([]byte(record), &decoded); err != nil {
			t.Fatal(err)
		}
		if got, err := streamtest.Matches(GrantFilters(), decoded); err != nil || got != want {
			t.Errorf("%s passes: %t, %v", record, got, err)
		}
	}
	if n := len(ConnectionFilters()); n > 5 {
		t.Errorf("%d filters; Lambda takes five", n)
	}
}

// tamper writes an attribute of another type into the row of a connection.
func (a *announced) tamper(company int64) error {
	odd := dynamo.Item{"company_name": dynamo.Number(1)}
	return dynamo.Write(a.t.Context(), a.connections.DB, new(dynamo.Expression).Set(odd).Update(a.names.Connections, a.connections.Row(fmt.Sprint(company), string(joe))))
}
