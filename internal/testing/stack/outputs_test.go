package stack_test

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"procore-connect/internal/testing/stack"
)

// The stand-in of CloudFormation has each output of the template that does not depend on a condition, or on one that holds.
func TestOutputs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Outputs map[string]struct {
			Condition string `yaml:"Condition"`
		} `yaml:"Outputs"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	var want []string
	for name, output := range template.Outputs {
		if output.Condition == "" || output.Condition == "HasLinks" {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	got := slices.Sorted(maps.Keys(stack.Outputs("http://127.0.0.1:3000", "http://127.0.0.1:8000")))
	if d := cmp.Diff(got, want); d != "" || len(want) < 20 {
		t.Errorf("outputs (-got +want of %d in template.yaml):\n%s", len(want), d)
	}
}
