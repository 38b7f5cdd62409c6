package awstest_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
)

// stages returns the labels of a secret's versions.
func stages(t *testing.T, c *secretsmanager.Client) map[string][]string {
	t.Helper()
	out, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: new("app")})
	if err != nil {
		t.Fatal(err)
	}
	return out.VersionIdsToStages
}

// put stores a version beside the current one, and returns its id.
func put(t *testing.T, c *secretsmanager.Client, value, stage string) string {
	t.Helper()
	out, err := c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: new("app"), SecretString: &value, VersionStages: []string{stage}})
	if err != nil {
		t.Fatal(err)
	}
	return *out.VersionId
}

// The label AWSCURRENT moves from the version that is named, and from no other.
func TestSecretStage(t *testing.T) {
	t.Parallel()
	s := awstest.NewSecrets(map[string]string{"app": "one"})
	c := secretsmanager.NewFromConfig(config(t, &awstest.Services{Secrets: s}))
	first, second := "", put(t, c, "two", "next")
	for id, labels := range stages(t, c) {
		if cmp.Equal(labels, []string{"AWSCURRENT"}) {
			first = id
		}
	}
	third := put(t, c, "three", "next") // takes the label
	move := func(stage, from, to string) error {
		_, err := c.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: new("app"), VersionStage: &stage, RemoveFromVersionId: absent(from), MoveToVersionId: absent(to),
		})
		return err
	}
	for name, err := range map[string]error{
		"without the version that has it": move("AWSCURRENT", "", second),
		"from another version":            move("AWSCURRENT", second, third),
		"removed":                         move("AWSCURRENT", first, ""),
		"without a label":                 move("", first, second),
		"a label that none has":           move("other", first, second),
	} {
		if _, ok := errors.AsType[*types.InvalidParameterException](err); !ok {
			t.Errorf("%s: got error %v, want InvalidParameterException", name, err)
		}
	}
	if _, ok := errors.AsType[*types.ResourceNotFoundException](move("AWSCURRENT", first, "00000000-0000-0000-0000-000000000000")); !ok {
		t.Error("the label moves to a version that does not exist")
	}
	if err := move("AWSCURRENT", first, third); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{first: {"AWSPREVIOUS"}, third: {"next", "AWSCURRENT"}}
	if d := cmp.Diff(stages(t, c), want); d != "" {
		t.Errorf("labels (-got +want):\n%s", d)
	}
	if got, _ := s.Value("app"); got != "three" {
		t.Errorf("the value is %q, want three", got)
	}
	if err := move("AWSCURRENT", first, second); err == nil {
		t.Error("the label moves twice from one version")
	}
}

func absent(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

// Of many that move the label from one version, one does.
func TestOneMovesTheLabel(t *testing.T) {
	t.Parallel()
	c := secretsmanager.NewFromConfig(config(t, &awstest.Services{Secrets: awstest.NewSecrets(map[string]string{"app": "one"})}))
	first := ""
	for first = range stages(t, c) {
	}
	var moved atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		id := put(t, c, "value", "next")
		all.Go(func() {
			_, err := c.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: new("app"), VersionStage: new("AWSCURRENT"), RemoveFromVersionId: &first, MoveToVersionId: &id,
			})
			if err == nil {
				moved.Add(1)
			}
		})
	}
	all.Wait()
	if got := moved.Load(); got != 1 {
		t.Errorf("%d moved the label, want 1", got)
	}
}

// The id of a version has 32 to 64 characters.
func TestVersionID(t *testing.T) {
	t.Parallel()
	c := secretsmanager.NewFromConfig(config(t, &awstest.Services{Secrets: awstest.NewSecrets(map[string]string{"app": "one"})}))
	_, err := c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: new("app"), SecretString: new("two"), ClientRequestToken: aws.String("short")})
	if _, ok := errors.AsType[*types.InvalidParameterException](err); !ok {
		t.Errorf("got error %v, want InvalidParameterException", err)
	}
}
