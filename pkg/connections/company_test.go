package connections

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// serves returns the principal that serves the company's work.
func (w *world) serves(company int64) tokens.Principal {
	w.t.Helper()
	c, err := w.store().ForCompany(w.t.Context(), company)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Principal
}

// The service account serves a company, else the user who connected last and whose grant
// works. Without any, the error is that of the connection nearest to working.
func TestForCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	wantError := func(want error) {
		t.Helper()
		if _, err := s.ForCompany(t.Context(), acme); !errors.Is(err, want) || !strings.Contains(err.Error(), "company 501") {
			t.Errorf("got error %v, want %v of the company", err, want)
		}
	}
	serves := func(want tokens.Principal) {
		t.Helper()
		if got := w.serves(acme); got != want {
			t.Errorf("%s serves the company, want %s", got, want)
		}
	}
	wantError(ErrNotFound)
	w.connect(ann, brick) // another company
	wantError(ErrNotFound)
	w.put(w.names.Connections, s.Row("501", "webhook"))
	wantError(ErrNotFound)
	guys, joes, anns := w.connect(guy, acme)[0], w.connect(joe, acme)[0], w.connect(ann, acme)[0]
	serves(ann)
	w.clock.Advance(time.Second)
	w.connect(joe, acme)
	serves(joe)
	w.dead(joe)
	serves(ann)
	if err := s.Pause(t.Context(), anns); err != nil {
		t.Fatal(err)
	}
	serves(guy)
	if err := s.AddServiceAccount(t.Context(), acme, "A Company", WebhooksOff); err != nil {
		t.Fatal(err)
	}
	serves(tokens.App)
	app := w.row(Key{acme, tokens.App})
	if err := s.Pause(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	serves(guy)
	if err := s.End(t.Context(), guys.Key, "asked for"); err != nil {
		t.Fatal(err)
	}
	wantError(ErrPaused) // the service account's
	if err := s.End(t.Context(), app.Key, "asked for"); err != nil {
		t.Fatal(err)
	}
	wantError(tokens.ErrReauthorize) // Joe's, who connected last
	if err := s.Disconnect(t.Context(), w.row(joes.Key)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Connection{anns, joes} {
		wantError(ErrDisconnected)
		if err := s.End(t.Context(), c.Key, "asked for"); err != nil {
			t.Fatal(err)
		}
	}
	wantError(ErrEnded)
}

// Storage trouble with one grant does not fail the others.
func TestForCompanyWithAnUnreadableGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(ann, acme)
	w.connect(joe, acme)
	for _, item := range w.scan(w.names.Grants) {
		if item["grant"] != nil && fmt.Sprint(dynamo.Text("custom#"+string(joe))) == fmt.Sprint(item["grant"]) {
			item["rev"] = dynamo.Text("one")
			w.put(w.names.Grants, item)
		}
	}
	if got := w.serves(acme); got != ann {
		t.Errorf("%s serves the company, want Ann", got)
	}
	if err := w.store().Works(t.Context(), w.row(Key{acme, joe})); err == nil || !strings.Contains(err.Error(), "company 501") || !strings.Contains(err.Error(), `"rev"`) {
		t.Errorf("got error %v, want one that names company and attribute", err)
	}
}

// Storage that cannot list a company's connections does not mean that there are none.
func TestUnreadableCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	w.connect(ann, acme)
	w.faults(func(operation, _ string) dynamotest.Fault {
		if operation == "Query" {
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	if all, err := procore.Collect(s.Company(t.Context(), acme)); err == nil {
		t.Errorf("got %d connections and no error", len(all))
	}
	if _, err := s.ForCompany(t.Context(), acme); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want that of storage", err)
	}
}

// A row that cannot be read does not keep the company's other connections from serving.
func TestUnreadableRowOfACompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	guys, anns, joes := w.connect(guy, acme)[0], w.connect(ann, acme)[0], w.connect(joe, acme)[0]
	w.spoil(joes.Key, "rev", dynamo.Text("one"))
	w.spoil(guys.Key, "transitions", dynamo.Text("one"))
	if got := w.serves(acme); got != ann {
		t.Errorf("%s serves the company, want the one that can be read", got)
	}
	read, unread := 0, 0
	for _, err := range s.Company(t.Context(), acme) {
		if err != nil {
			unread++
		} else {
			read++
		}
	}
	if read != 1 || unread != 2 {
		t.Errorf("%d connections were read and %d not, want 1 and 2", read, unread)
	}
	w.spoil(anns.Key, "connected_at_ms", dynamo.Text("one"))
	if _, err := s.ForCompany(t.Context(), acme); err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "attribute") {
		t.Errorf("got error %v, want that of an unreadable row", err)
	}
}

// spoil changes an attribute of a connection's row.
func (w *world) spoil(k Key, name string, value types.AttributeValue) {
	w.t.Helper()
	item := w.item(w.row(k))
	item[name] = value
	w.put(w.names.Connections, item)
}

// Of a company with 2,000 users a hundred are read, and one grant. Those whose connection
// has ended, or whose grant does not work, hide none that works.
func TestForCompanyOf2000Users(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(joe, acme)[0]
	grant := w.scan(w.names.Grants)[0]
	const n = 2000
	var rows, grants []dynamo.Item
	for i := range n {
		c.Principal = tokens.User(int64(1_000_000 + i)) // before Joe, who is the last one
		c.ConnectedAt = c.ConnectedAt.Add(time.Second)
		rows = append(rows, w.item(c))
		g := maps.Clone(grant)
		g["grant"] = dynamo.Text("custom#" + string(c.Principal))
		grants = append(grants, g)
	}
	w.putAll(w.names.Connections, rows)
	w.putAll(w.names.Grants, grants[:batch])
	w.storage()
	w.faults(func(operation, body string) dynamotest.Fault {
		if operation == "Query" && !strings.Contains(body, fmt.Sprintf(`"Limit":%d`, batch)) {
			t.Errorf("a query has no limit: %s", body)
		}
		return dynamotest.Fault{}
	})
	got, err := s.ForCompany(t.Context(), acme)
	w.faults(nil)
	if want := tokens.User(1_000_000 + batch - 1); err != nil || got.Principal != want {
		t.Errorf("got %s, %v; want %s, who connected last of the first hundred", got.Principal, err, want)
	}
	w.wantStorage("ForCompany", "Query Connections", readGrant)
	all, err := procore.Collect(s.Company(t.Context(), acme))
	if err != nil || len(all) != n+1 {
		t.Errorf("got %d connections, %v; want %d", len(all), err, n+1)
	}
	for i, c := range all[:n] {
		if i%2 == 0 {
			c.State = Ended
		} else {
			c.PausedUntil = w.clock.Now().Add(time.Hour)
		}
		rows[i] = w.item(c)
	}
	w.putAll(w.names.Connections, rows)
	if got, err := s.ForCompany(t.Context(), acme); err != nil || got.Principal != joe {
		t.Errorf("got %s, %v; want Joe, the only one who works", got.Principal, err)
	}
	if err := s.AddServiceAccount(t.Context(), acme, "A Company", WebhooksOff); err != nil {
		t.Fatal(err)
	}
	w.storage()
	if got := w.serves(acme); got != tokens.App {
		t.Errorf("%s serves the company, want the service account", got)
	}
	w.wantStorage("with a service account", "Query Connections")
}

// item returns a connection's row.
func (w *world) item(c Connection) dynamo.Item {
	item := w.store().rowKey(c.Key)
	maps.Copy(item, w.store().attributes(c))
	return dynamo.Compact(item)
}

// Company returns the connections of one company in one environment, without the hook's row.
func TestCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	want := []Key{w.connect(joe, acme)[0].Key, w.connect(ann, acme)[0].Key}
	w.connect(joe, brick)
	hook := s.Row("501", "webhook")
	hook["state"] = dynamo.Number(1) // the row is not read
	w.put(w.names.Connections, hook)
	var got []Key
	for c, err := range s.Company(t.Context(), acme) {
		if err != nil {
			t.Error(err)
		}
		got = append(got, c.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
