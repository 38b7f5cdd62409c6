package simulation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/kit/tables"
)

// counters is a world in which a function counts in several rows at once, for a day.
func counters(seed uint64, trace *strings.Builder) Long {
	return Long{
		Seed: seed, Swarm: NewSwarm(seed), Tables: []*dynamodb.CreateTableInput{tables.Spends("spends")},
		Faulty: 24 * time.Hour, Settle: time.Hour,
		Trace: func(line string) { trace.WriteString(line + "\n") },
		Setup: func(w *World) {
			f := w.Function(&Function{Name: "counter", Timeout: time.Minute, Start: func(p *Process) (Handler, error) {
				return func(ctx context.Context, _ any) (any, error) {
					var all sync.WaitGroup
					var places atomic.Int64
					woken := make(chan struct{})
					for _, row := range []string{"a", "b", "c", "d"} {
						all.Go(func() {
							_ = count(ctx, w.Tables.Client(), row)
							if row == "a" {
								close(woken) // all go on at once, and each takes a place
							}
							<-woken
							p.Clock().Woken(ctx)
							_ = count(ctx, w.Tables.Client(), fmt.Sprint(row, places.Add(1)))
						})
					}
					all.Wait()
					return nil, ctx.Err()
				}, nil
			}})
			w.Every(5*time.Minute, time.Second, "counter", f, func(time.Time) any { return nil })
		},
	}
}

func count(ctx context.Context, db *dynamodb.Client, row string) error {
	_, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String("spends"), Key: Item{"fingerprint": &types.AttributeValueMemberS{Value: row}},
		UpdateExpression:          aws.String("SET #n = if_not_exists(#n, :zero) + :one"),
		ExpressionAttributeNames:  map[string]string{"#n": "n"},
		ExpressionAttributeValues: Item{":zero": &types.AttributeValueMemberN{Value: "0"}, ":one": &types.AttributeValueMemberN{Value: "1"}},
	})
	return err
}

// The same seed makes the same run, to the letter, and another seed another one.
func TestLongRepeats(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for seed := range uint64(10) {
		var first strings.Builder
		w := counters(seed, &first).Run(t)
		_, faults := w.Counts()
		t.Logf("seed %d: %d lines, %d faults", seed, w.long.lines, faults)
		for range 2 {
			var again strings.Builder
			counters(seed, &again).Run(t)
			if first.String() != again.String() {
				t.Fatalf("seed %d made another run:\n%s", seed, difference(first.String(), again.String()))
			}
		}
		if seen[w.Sum()] {
			t.Errorf("seed %d made the run of another seed", seed)
		}
		seen[w.Sum()] = true
	}
}
