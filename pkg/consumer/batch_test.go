package consumer

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// batchOf returns a batch with a message for each word, its group first and "!" if it
// fails: "a1 b1 a2!".
func batchOf(words string) (e events.SQSEvent) {
	for word := range strings.FieldsSeq(words) {
		e.Records = append(e.Records, events.SQSMessage{MessageId: word, Attributes: map[string]string{"MessageGroupId": word[:1]}})
	}
	return e
}

func TestInOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ batch, tried, again string }{
		{"", "", ""},
		{"a1 b1 a2", "a1 b1 a2", ""},
		{"a1! b1 a2 b2 a3", "a1! b1 b2", "a1! a2 a3"},
		{"a1 a2! b1! a3 b2 c1", "a1 a2! b1! c1", "a2! b1! a3 b2"},
		{"a1 a2!", "a1 a2!", "a2!"},
	} {
		var tried, again []string
		out := inOrder(t.Context(), batchOf(tt.batch), func(_ context.Context, m events.SQSMessage) bool {
			tried = append(tried, m.MessageId)
			return !strings.HasSuffix(m.MessageId, "!")
		})
		for _, f := range out.BatchItemFailures {
			again = append(again, f.ItemIdentifier)
		}
		if diff := cmp.Diff([]string{strings.Join(tried, " "), strings.Join(again, " ")}, []string{tt.tried, tt.again}); diff != "" {
			t.Errorf("%s: tried, to come again (-got +want):\n%s", tt.batch, diff)
		}
	}
}

// Messages that were handled are not redelivered because the rest took too long.
func TestInOrderEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 60 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		start := time.Now()
		out := inOrder(ctx, batchOf("a1 b1 b2 c1"), func(ctx context.Context, m events.SQSMessage) bool {
			if m.MessageId == "a1" {
				return true
			}
			<-ctx.Done()
			return false
		})
		if took := time.Since(start); took != timeout-answerMargin || len(out.BatchItemFailures) != 3 {
			t.Errorf("%d messages come again, after %v; want 3, after %v", len(out.BatchItemFailures), took, timeout-answerMargin)
		}
	})
}
