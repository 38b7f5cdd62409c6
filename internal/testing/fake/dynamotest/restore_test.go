package dynamotest_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
)

// restorable is a table with point-in-time recovery, on a server whose clock stands still.
type restorable struct {
	fixture
	now    time.Time
	server *dynamotest.Server
}

func newRestorable(t *testing.T) *restorable {
	t.Helper()
	ours(t) // dynoxide has no RestoreTableToPointInTime
	r := &restorable{now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), server: dynamotest.New()}
	r.server.Now = func() time.Time { return r.now }
	r.fixture = fixtureOn(t, dynamotest.Client(r.server.Start(t)))
	_, err := r.client.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{TableName: &r.table,
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *restorable) restore(target string, at time.Time) error {
	_, err := r.client.RestoreTableToPointInTime(r.Context(), &dynamodb.RestoreTableToPointInTimeInput{
		SourceTableName: &r.table, TargetTableName: &target, RestoreDateTime: &at, GlobalSecondaryIndexOverride: []types.GlobalSecondaryIndex{},
	})
	return err
}

func (r *restorable) describe(name string) *types.TableDescription {
	r.Helper()
	out, err := r.client.DescribeTable(r.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		r.Fatal(err)
	}
	return out.Table
}

// A restored table has what the source had at the end of the second, and neither its stream nor, here, its indexes.
func TestRestoreTable(t *testing.T) {
	t.Parallel()
	r := newRestorable(t)
	r.put(plain{"pk": "kept", "sk": 1}, plain{"pk": "changed", "sk": 1, "v": 1}, plain{"pk": "deleted", "sk": 1})
	at := r.now
	r.now = r.now.Add(time.Second)
	r.put(plain{"pk": "changed", "sk": 1, "v": 2}, plain{"pk": "new", "sk": 1})
	if _, err := r.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &r.table, Key: key("deleted", 1)}); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(time.Hour)
	r.server.RestoreTime = 20 * time.Minute
	if err := r.restore("copy", at); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.restore("copy", at), "TableAlreadyExistsException")
	if got := r.describe("copy"); got.TableStatus != types.TableStatusCreating || !*got.RestoreSummary.RestoreInProgress {
		t.Errorf("at first it is %s", got.TableStatus)
	}
	_, err := r.client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("copy")})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = r.client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String("copy")})
	wantCode(t, err, "ResourceInUseException")
	r.now = r.now.Add(20 * time.Minute)
	r.describe("copy")
	got, source := r.describe("copy"), r.describe(r.table)
	if s := got.RestoreSummary; got.TableStatus != types.TableStatusActive || *s.RestoreInProgress || !s.RestoreDateTime.Equal(at) || *s.SourceTableArn != *source.TableArn {
		t.Errorf("after 20 minutes it is %s, %+v", got.TableStatus, s)
	}
	if got.GlobalSecondaryIndexes != nil || got.StreamSpecification != nil || len(source.GlobalSecondaryIndexes) != 3 {
		t.Errorf("it has %d indexes, stream %v", len(got.GlobalSecondaryIndexes), got.StreamSpecification)
	}
	out, err := r.client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("copy")})
	if err != nil {
		t.Fatal(err)
	}
	var items []plain
	for _, i := range out.Items {
		items = append(items, plainOf(i))
	}
	if d := cmp.Diff(items, []plain{{"pk": "changed", "sk": 1, "v": 1}, {"pk": "deleted", "sk": 1}, {"pk": "kept", "sk": 1}}); d != "" {
		t.Errorf("the copy (-got +want):\n%s", d)
	}
	if r.get("changed", 1)["v"] != 2 || r.get("new", 1) == nil || r.get("deleted", 1) != nil {
		t.Error("the source changed")
	}
}

// A table is restored only within its window, and only if that was turned on.
func TestRestoreTableIsRefused(t *testing.T) {
	t.Parallel()
	r := newRestorable(t)
	began := r.now
	r.now = r.now.Add(time.Hour)
	wantCode(t, r.restore("copy", began.Add(-time.Second)), "InvalidRestoreTimeException")
	wantCode(t, r.restore("copy", r.now.Add(-5*time.Minute+time.Second)), "InvalidRestoreTimeException")
	wantCode(t, r.restore("copy", began.Add(time.Millisecond)), "ValidationException")
	out, err := r.client.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: &r.table})
	if err != nil {
		t.Fatal(err)
	}
	window := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	if !window.EarliestRestorableDateTime.Equal(began) || !window.LatestRestorableDateTime.Equal(r.now.Add(-5*time.Minute)) {
		t.Errorf("the window is %s to %s", window.EarliestRestorableDateTime, window.LatestRestorableDateTime)
	}
	r.now = r.now.Add(40 * 24 * time.Hour)
	wantCode(t, r.restore("copy", r.now.Add(-35*24*time.Hour-time.Second)), "InvalidRestoreTimeException")
	wantCode(t, r.restore("copy", r.now.Add(-35*24*time.Hour)), "")
	other := fixtureOn(t, r.client)
	r.table = other.table
	wantCode(t, r.restore("copy2", r.now.Add(-time.Hour)), "PointInTimeRecoveryUnavailableException")
	r.table = "none"
	wantCode(t, r.restore("copy2", r.now.Add(-time.Hour)), "TableNotFoundException")
}

// The segments of a parallel scan have each item once.
func TestParallelScan(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var want []string
	for i := range 50 {
		want = append(want, "p"+strconv.Itoa(100+i))
		f.put(plain{"pk": want[i], "sk": 1})
	}
	const segments = 3
	var got []string
	for n := range int32(segments) {
		in := &dynamodb.ScanInput{TableName: &f.table, Segment: &n, TotalSegments: aws.Int32(segments), Limit: aws.Int32(7)}
		for p := dynamodb.NewScanPaginator(f.client, in); p.HasMorePages(); {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range page.Items {
				got = append(got, plainOf(i)["pk"].(string))
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %d items, want each of %d once", len(got), len(want))
	}
	for _, in := range []dynamodb.ScanInput{{Segment: aws.Int32(0)}, {TotalSegments: aws.Int32(2)}, {Segment: aws.Int32(2), TotalSegments: aws.Int32(2)}} {
		in.TableName = &f.table
		_, err := f.client.Scan(t.Context(), &in)
		wantRefused(t, err, "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html")
	}
}
