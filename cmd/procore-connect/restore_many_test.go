package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/kit/tables"
)

// Ten thousand grants and as many connections are lost, and come back. On dynoxide, which makes no copies, they are made by
// plain writes before.
func TestRestoreOfTenThousand(t *testing.T) {
	t.Parallel()
	b := &backup{world: worldOfMany(t)}
	b.passes, b.at = true, b.Clock.Now()
	lost := []string{b.Tables.Grants, b.Tables.Connections}
	if os.Getenv("DYNAMODB_ENDPOINT") == "" {
		b.recover(lost[0], true)
		b.recover(lost[1], true)
	} else {
		b.copyByHand()
	}
	b.Clock.Advance(time.Hour)
	for _, table := range lost {
		b.atOnce(b.items(table), func(item dynamo.Item) error {
			key := dynamo.Item{}
			for _, part := range []string{"grant", "company", "principal"} {
				if v, ok := item[part]; ok {
					key[part] = v
				}
			}
			_, err := b.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: key})
			return err
		})
	}
	began := time.Now()
	r := b.restores()
	took := time.Since(began)
	t.Logf("%d rows came back in %v: %.0f rows a second", r.Grants+r.Rows, took, float64(r.Grants+r.Rows)/took.Seconds())
	if r.Grants != many || r.Rows != many || r.Failed+r.Newer+r.Released != 0 {
		t.Errorf("%d grants, %d rows, %d failed, %d newer, %d released", r.Grants, r.Rows, r.Failed, r.Newer, r.Released)
	}
	out, aside, code := b.run("list", "--needs-person")
	if lines := strings.Count(out, "\n"); code != exitTrouble || aside != "" || lines != 11 {
		t.Errorf("the indexes of what came back: exit code %d, %d lines, %q, want 10 connections", code, lines, aside)
	}
}

// atOnce does something with many items.
func (b *backup) atOnce(items map[string]dynamo.Item, do func(dynamo.Item) error) {
	b.t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	for _, item := range items {
		g.Go(func() error { return do(item) })
	}
	if err := g.Wait(); err != nil {
		b.t.Fatal(err)
	}
}

// copyByHand makes the copies, and describes them as those that DynamoDB makes.
func (b *backup) copyByHand() {
	b.t.Helper()
	suffix := "-restored-" + b.at.UTC().Format("20060102T150405Z")
	for _, in := range []*dynamodb.CreateTableInput{tables.Grants(b.Tables.Grants + suffix), tables.Connections(b.Tables.Connections + suffix)} {
		if err := tables.CreateOne(b.t.Context(), b.DB, in); err != nil {
			b.t.Fatal(err)
		}
		b.atOnce(b.items(strings.TrimSuffix(*in.TableName, suffix)), func(item dynamo.Item) error {
			_, err := b.DB.PutItem(b.t.Context(), &dynamodb.PutItemInput{TableName: in.TableName, Item: item})
			return err
		})
	}
	b.instead = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeTable") {
			return false
		}
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		var in struct{ TableName string }
		if err != nil || json.Unmarshal(body, &in) != nil || !strings.HasSuffix(in.TableName, suffix) {
			return false
		}
		source := strings.TrimSuffix(in.TableName, suffix)
		out, err := b.DB.DescribeTable(r.Context(), &dynamodb.DescribeTableInput{TableName: &source})
		if err != nil {
			b.t.Error(err)
			return false
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprintf(w, `{"Table":{"TableName":%q,"TableStatus":"ACTIVE","RestoreSummary":{"SourceTableArn":%q,"RestoreDateTime":%d,"RestoreInProgress":false}}}`,
			in.TableName, *out.Table.TableArn, b.at.Unix())
		return true
	}
}
