package inbox

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// An attribute of the wrong type is an error that names it and not its value. Nothing is sent.
func TestWrongType(t *testing.T) {
	t.Parallel()
	const secret = "90210"
	text, number := &types.AttributeValueMemberS{Value: secret}, &types.AttributeValueMemberN{Value: secret}
	replay := func(quarantined bool) func(*world, context.Context) error {
		return func(w *world, ctx context.Context) error {
			r := Replay{Inbox: w.Store, Send: func(context.Context, Message) error { return errors.New("sent") }}
			_, err := r.Run(ctx, Selection{CompanyID: 5678, From: w.now, To: w.now.Add(time.Second), Quarantined: quarantined})
			return err
		}
	}
	newer := func(w *world, ctx context.Context) error {
		_, err := w.Newer(ctx, happened("1", 0), all)
		return err
	}
	for _, tt := range []struct {
		attribute string
		value     types.AttributeValue
		reading   func(*world, context.Context) error
	}{
		{"happened_at_ms", text, newer},
		{"envelope", number, newer},
		{"envelope", number, replay(false)},
		{"group_id", number, replay(false)},
		{"body", text, replay(true)},
		{"size", text, replay(true)},
		{"reason", number, replay(true)},
	} {
		w := newWorld(t)
		w.store(t, happened("2", time.Second))
		if _, err := w.Quarantine(t.Context(), 5678, "odd", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		all, err := w.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.Table})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range all.Items {
			item[tt.attribute] = tt.value
			if _, err := w.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(w.Table), Item: item}); err != nil {
				t.Fatal(err)
			}
		}
		err = tt.reading(w, t.Context())
		if err == nil || !strings.Contains(err.Error(), `attribute "`+tt.attribute+`"`) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got error %v, want one that names the attribute", tt.attribute, err)
		}
	}
}
