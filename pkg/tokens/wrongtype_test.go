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

// An attribute of another type is an error that names it and not its value: an open
// breaker is not taken for a closed one.
func TestWrongType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	if _, err := s.Upkeep().Breaker(t.Context()); err != nil {
		t.Fatal(err)
	}
	const secret = "90210"
	text, number := &types.AttributeValueMemberS{Value: secret}, &types.AttributeValueMemberN{Value: secret}
	grant := func() error { _, err := s.Grant(t.Context(), p); return err }
	breaker := func() error { _, err := s.Upkeep().Breaker(t.Context()); return err }
	for _, tt := range []struct {
		row       string
		attribute string
		value     types.AttributeValue
		read      func() error
	}{
		{string(p), "state", number, grant},
		{string(p), "generation", text, grant},
		{string(p), "sealed", text, grant},
		{string(p), "holders", text, grant},
		{string(p), "transitions", text, grant},
		{"breaker", "open", text, breaker},
		{"breaker", "since", text, breaker},
	} {
		item := maps.Clone(s.rowKey(tt.row))
		item[tt.attribute] = tt.value
		w.put(item)
		err := tt.read()
		if err == nil || !strings.Contains(err.Error(), `attribute "`+tt.attribute+`"`) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got error %v, want one that names the attribute", tt.attribute, err)
		}
		if _, err := s.Token(t.Context(), p); err == nil {
			t.Errorf("%s: a token came out of a row that cannot be read", tt.attribute)
		}
		if _, err := s.Authorize(t.Context(), w.authorization()); tt.row != "breaker" && (err == nil || errors.Is(err, ErrNotFound)) {
			t.Errorf("%s: an authorization was stored over it: %v", tt.attribute, err)
		}
	}
}

func (w *world) put(item map[string]types.AttributeValue) {
	w.t.Helper()
	if _, err := w.db.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.names.Grants, Item: item}); err != nil {
		w.t.Fatal(err)
	}
}

// A row that cannot be read does not keep a schedule from the others.
func TestUnreadableRowOfASchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	w.authorizeOnly(s)
	item := s.rowKey("user#9")
	item["due_shard"], item["due_at"] = &types.AttributeValueMemberS{Value: s.partition(unheld, User(joe).shard())}, &types.AttributeValueMemberN{Value: "1"}
	item["grant"] = &types.AttributeValueMemberS{Value: "production#user#9"} // in the partition of another environment
	w.put(item)
	w.clock.Advance(UnheldFor + time.Second)
	var found, failed int
	for p, err := range s.Upkeep().Unheld(t.Context(), User(joe).shard()) {
		switch {
		case err != nil:
			failed++
		case p == User(joe):
			found++
		}
	}
	if found != 1 || failed != 1 {
		t.Errorf("found %d, and %d errors; want one of each", found, failed)
	}
}
