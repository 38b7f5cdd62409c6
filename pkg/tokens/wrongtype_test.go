package tokens

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// An attribute of another type is an error that names it and not its value: an
// open breaker is not taken for a closed one.
func TestWrongType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	if _, err := s.Breaker(t.Context()); err != nil {
		t.Fatal(err)
	}
	const secret = "90210"
	text, number := &types.AttributeValueMemberS{Value: secret}, &types.AttributeValueMemberN{Value: secret}
	connection := func() error { _, err := s.Connection(t.Context(), c.Key); return err }
	breaker := func() error { _, err := s.Breaker(t.Context()); return err }
	for _, tt := range []struct {
		key       map[string]types.AttributeValue
		attribute string
		value     types.AttributeValue
		read      func() error
	}{
		{c.Key.primaryKey(), "state", number, connection},
		{c.Key.primaryKey(), "generation", text, connection},
		{c.Key.primaryKey(), "sealed", text, connection},
		{c.Key.primaryKey(), "transitions", text, connection},
		{breakerKey, "open", text, breaker},
		{breakerKey, "since", text, breaker},
	} {
		item := maps.Clone(tt.key)
		item[tt.attribute] = tt.value
		if _, err := s.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.Connections, Item: item}); err != nil {
			t.Fatal(err)
		}
		err := tt.read()
		if err == nil || !strings.Contains(err.Error(), `attribute "`+tt.attribute+`"`) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got error %v, want one that names the attribute", tt.attribute, err)
		}
	}
}

// A row that cannot be read does not keep the company's other connections from serving.
func TestUnreadableRowOfACompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	a := w.authorization()
	for _, user := range []int64{1, 2, 3} {
		a.Key.Principal = User(user)
		w.clock.Advance(time.Minute)
		if _, _, err := s.Connect(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	spoil := func(user int64) {
		item := Key{a.Key.CompanyID, User(user)}.primaryKey()
		item["generation"] = &types.AttributeValueMemberS{Value: "one"}
		if _, err := w.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.names.Connections, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	spoil(1)
	spoil(3)
	if got, err := s.ForCompany(t.Context(), a.Key.CompanyID); err != nil || got.Principal != User(2) {
		t.Errorf("got %s, %v; want the one that can be read", got.Principal, err)
	}
	spoil(2)
	if _, err := s.ForCompany(t.Context(), a.Key.CompanyID); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want that of an unreadable row", err)
	}
}

// A rescued pair that does not open is not stored in place of one that does.
func TestRestoreOfAPairThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	held := w.hold(s, c.Key)
	before := w.row(c.Key)
	err := s.Restore(t.Context(), Rescued{Key: c.Key, Generation: c.Generation, Attempt: held.claimed.attempt, SealKey: "k1", Sealed: []byte("not a pair")})
	if err == nil {
		t.Error("no error")
	}
	if got := w.row(c.Key); got.Rev != before.Rev || got.Generation != before.Generation {
		t.Errorf("the row was written: generation %d, want %d", got.Generation, before.Generation)
	}
}
