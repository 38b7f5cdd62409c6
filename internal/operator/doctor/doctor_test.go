package doctor

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"

	"procore-connect/internal/testing/kit/tables"
)

// The definitions are those of the tables in Go, which other tests hold to the template.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	made := map[string]*dynamodb.CreateTableInput{
		"GRANTS_TABLE": tables.Grants("t"), "CONNECTIONS_TABLE": tables.Connections("t"), "SPENDS_TABLE": tables.Spends("t"),
		"SESSIONS_TABLE": tables.Sessions("t"), "INBOX_TABLE": tables.Inbox("t"),
	}
	for _, want := range definitions() {
		in := made[want.variable]
		got := &types.TableDescription{TableStatus: types.TableStatusActive, KeySchema: in.KeySchema, StreamSpecification: in.StreamSpecification}
		for _, i := range in.GlobalSecondaryIndexes {
			got.GlobalSecondaryIndexes = append(got.GlobalSecondaryIndexes,
				types.GlobalSecondaryIndexDescription{IndexName: i.IndexName, KeySchema: i.KeySchema, Projection: i.Projection})
		}
		if found := want.differs("t", got); found != nil {
			t.Errorf("%s: %v", want.variable, found)
		}
		if len(got.GlobalSecondaryIndexes) != len(want.indexes) {
			t.Errorf("%s: %d indexes, want %d", want.variable, len(want.indexes), len(got.GlobalSecondaryIndexes))
		}
		delete(made, want.variable)
	}
	if len(made) > 0 {
		t.Errorf("no definition of %v", made)
	}
}

// What protects a table is what the template sets.
func TestProtection(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Properties map[string]yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	for _, want := range definitions() {
		name := strings.TrimSuffix(want.variable, "_TABLE")
		has := func(property string) bool {
			_, found := template.Resources[name[:1]+strings.ToLower(name[1:])+"Table"].Properties[property]
			return found
		}
		if has("PointInTimeRecoverySpecification") != want.recovered || has("DeletionProtectionEnabled") != want.protected ||
			has("TimeToLiveSpecification") != want.expires || !has("KeySchema") {
			t.Errorf("%s is not as the template has it: %+v", want.variable, want)
		}
	}
}

// An index that is missing, or is being made, is noticed.
func TestIndexes(t *testing.T) {
	t.Parallel()
	in := tables.Grants("t")
	got := &types.TableDescription{TableStatus: types.TableStatusActive, KeySchema: in.KeySchema, StreamSpecification: in.StreamSpecification}
	want := definitions()[0]
	if found := want.differs("t", got); len(found) != 1 || !strings.Contains(found[0].Finding, "index due") {
		t.Errorf("without the index: %v", found)
	}
	got.GlobalSecondaryIndexes = []types.GlobalSecondaryIndexDescription{{IndexName: aws.String("due"), IndexStatus: types.IndexStatusCreating,
		KeySchema: in.GlobalSecondaryIndexes[0].KeySchema, Projection: in.GlobalSecondaryIndexes[0].Projection}}
	if found := want.differs("t", got); len(found) != 1 || !strings.Contains(found[0].Finding, "CREATING") {
		t.Errorf("while the index is made: %v", found)
	}
}
