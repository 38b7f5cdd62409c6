package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/kit/tables"
)

// Ten thousand grants and as many connections are lost, and come back. Dynoxide makes no copies, so that those of a
// half are made by plain writes before.
func TestRestoreOfTenThousand(t *testing.T) {
	t.Parallel()
	b := &backup{world: worldOfMany(t)}
	b.passes, b.at = true, b.Clock.Now()
	want := many
	if os.Getenv("DYNAMODB_ENDPOINT") == "" {
		b.recover(b.Tables.Grants, true)
		b.recover(b.Tables.Connections, true)
		b.Clock.Advance(time.Hour)
		b.loseAll()
	} else {
		want /= 2
		b.copyByHand(want)
	}
	began := time.Now()
	r := b.restores()
	took := time.Since(began)
	t.Logf("%d rows came back in %v: %.0f rows a second", r.Grants+r.Rows, took, float64(r.Grants+r.Rows)/took.Seconds())
	if r.Grants != want || r.Rows != want || r.Failed+r.Newer+r.Released != 0 {
		t.Errorf("%d grants, %d rows, %d failed, %d newer, %d released", r.Grants, r.Rows, r.Failed, r.Newer, r.Released)
	}
	out, aside, code := b.run("list", "--needs-person")
	if lines := strings.Count(out, "\n"); code != exitTrouble || aside != "" || lines != 11 {
		t.Errorf("the indexes of what came back: exit code %d, %d lines, %q, want 10 connections", code, lines, aside)
	}
}

// copyByHand makes copies of the first rows, without indexes, and describes them as those that DynamoDB makes. The tables are
// empty then.
func (b *backup) copyByHand(rows int) {
	b.t.Helper()
	suffix := "-restored-" + b.at.UTC().Format("20060102T150405Z")
	for name, definition := range map[string]func(string) *dynamodb.CreateTableInput{b.Tables.Grants: tables.Grants, b.Tables.Connections: tables.Connections} {
		items, in := b.items(name), definition(name+suffix)
		in.GlobalSecondaryIndexes, in.StreamSpecification = nil, nil
		in.AttributeDefinitions = in.AttributeDefinitions[:len(in.KeySchema)]
		_, err := b.DB.DeleteTable(b.t.Context(), &dynamodb.DeleteTableInput{TableName: &name})
		if err := errors.Join(err, tables.CreateOne(b.t.Context(), b.DB, definition(name)), tables.CreateOne(b.t.Context(), b.DB, in)); err != nil {
			b.t.Fatal(err)
		}
		for _, key := range slices.Sorted(maps.Keys(items))[:rows] {
			b.put(*in.TableName, items[key])
		}
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
