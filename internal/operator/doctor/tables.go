package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// definition is a table as template.yaml defines it.
type definition struct {
	variable  string
	key       string            // its attributes
	indexes   map[string]string // their keys and projections
	stream    types.StreamViewType
	expires   bool // by the attribute ttl
	recovered bool // to a point in time
	protected bool // from deletion, if the parameter says so
}

// definitions are those of template.yaml.
func definitions() []definition {
	const both = types.StreamViewTypeNewAndOldImages
	return []definition{
		{"GRANTS_TABLE", "grant", map[string]string{"due": "due_shard due_at KEYS_ONLY"}, both, false, true, true},
		{"CONNECTIONS_TABLE", "company principal", map[string]string{"checks": "check_shard check_at KEYS_ONLY", "installed": "installed KEYS_ONLY", "needs": "needs KEYS_ONLY",
			"listed": "listed INCLUDE company_name connected_at_ms paused_until reason reason_at reference state user_name webhooks"},
			both, false, true, true},
		{"SPENDS_TABLE", "fingerprint", nil, "", true, false, true},
		{"SESSIONS_TABLE", "session", map[string]string{"held": "held_shard expires_at ALL"}, "", true, false, false},
		{"INBOX_TABLE", "resource event_id", map[string]string{"by_company": "company_id received_at_ms KEYS_ONLY"},
			types.StreamViewTypeNewImage, true, false, false},
	}
}

// tables compares the tables with the template.
func (d *Doctor) tables(ctx context.Context) []Finding {
	var found []Finding
	var unprotected []string
	for _, want := range definitions() {
		name := d.variables[want.variable]
		out, err := d.Connections.DB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("table %s of %s does not exist", name, want.variable),
				Next: "restore it as docs/DEPLOY.md, Backup and restore, describes, but never the table of SPENDS_TABLE"})
			continue
		}
		if err != nil {
			found = append(found, d.cannot("table "+name, err))
			continue
		}
		found = append(found, want.differs(name, out.Table)...)
		found = append(found, d.settings(ctx, want, name)...)
		if want.protected && !aws.ToBool(out.Table.DeletionProtectionEnabled) {
			unprotected = append(unprotected, name)
		}
	}
	if unprotected != nil && !d.Local {
		found = append(found, Finding{Verdict: Warning, Finding: "not protected from deletion: " + strings.Join(unprotected, ", "),
			Next: "sam deploy --parameter-overrides DeletionProtection=true, with the other parameters of the last time"})
	}
	return orOK(found, "5 tables are as the template defines them")
}

// differs compares a table's description with the definition.
func (want definition) differs(name string, got *types.TableDescription) (found []Finding) {
	add := func(format string, args ...any) {
		found = append(found, Finding{Verdict: Failed, Finding: "table " + name + " " + fmt.Sprintf(format, args...), Next: deployAgain})
	}
	if got.TableStatus != types.TableStatusActive && got.TableStatus != types.TableStatusUpdating {
		add("is %s", got.TableStatus)
	}
	if key := keyOf(got.KeySchema); key != want.key {
		add("has the key %s, not %s", key, want.key)
	}
	indexes := map[string]string{}
	for _, i := range got.GlobalSecondaryIndexes {
		projected := slices.Sorted(slices.Values(i.Projection.NonKeyAttributes))
		indexes[aws.ToString(i.IndexName)] = strings.Join(append([]string{keyOf(i.KeySchema), string(i.Projection.ProjectionType)}, projected...), " ")
		if i.IndexStatus == types.IndexStatusCreating || i.IndexStatus == types.IndexStatusDeleting {
			add("has the index %s in the state %s", aws.ToString(i.IndexName), i.IndexStatus)
		}
	}
	for _, index := range slices.Sorted(maps.Keys(want.indexes)) {
		if got := indexes[index]; got != want.indexes[index] {
			add("has the index %s with %q, not %q", index, got, want.indexes[index])
		}
	}
	var stream types.StreamViewType
	if s := got.StreamSpecification; s != nil && aws.ToBool(s.StreamEnabled) {
		stream = s.StreamViewType
	}
	if stream != want.stream {
		add("has a stream of %q, not %q", stream, want.stream)
	}
	return found
}

// settings compares what a description of a table does not have.
func (d *Doctor) settings(ctx context.Context, want definition, name string) (found []Finding) {
	if want.expires {
		out, err := d.Connections.DB.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
		if err != nil {
			found = append(found, d.cannot("time to live of table "+name, err))
		} else if ttl := out.TimeToLiveDescription; !slices.Contains([]types.TimeToLiveStatus{"ENABLED", "ENABLING"}, ttl.TimeToLiveStatus) ||
			aws.ToString(ttl.AttributeName) != "ttl" {
			found = append(found, Finding{Verdict: Failed, Finding: "table " + name + " does not expire its items by ttl",
				Next: "aws dynamodb update-time-to-live --table-name " + name + " --time-to-live-specification Enabled=true,AttributeName=ttl"})
		}
	}
	if want.recovered && d.Local {
		return append(found, notHere("point-in-time recovery of table "+name))
	}
	if want.recovered {
		out, err := d.Connections.DB.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
		if err != nil {
			found = append(found, d.cannot("point-in-time recovery of table "+name, err))
		} else if r := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription; r == nil || r.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusEnabled {
			found = append(found, Finding{Verdict: Failed, Finding: "table " + name + " has no point-in-time recovery",
				Next: "aws dynamodb update-continuous-backups --table-name " + name + " --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"})
		}
	}
	return found
}

// keyOf lists the attributes of a key.
func keyOf(schema []types.KeySchemaElement) string {
	var all []string
	for _, e := range schema {
		all = append(all, aws.ToString(e.AttributeName))
	}
	return strings.Join(all, " ")
}
