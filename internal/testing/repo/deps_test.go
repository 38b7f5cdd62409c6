package repo

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// onlyTests are packages and trees of packages that nothing deployed may link, directly or through another package.
// A tree ends with a slash; those of the module begin with one.
var onlyTests = []string{
	"/internal/testing/", "/pkg/procoretest/", "testing/", "net/http/httptest/",
	"github.com/google/go-cmp/", "go.yaml.in/yaml/v3/", "github.com/santhosh-tekuri/jsonschema/v6/",
}

// onlyOperator are trees that the operator's command links, and no function may: they would slow each cold start.
var onlyOperator = []string{
	"/internal/operator/", "github.com/spf13/cobra/", "golang.org/x/term/", "github.com/aws/aws-sdk-go-v2/config/",
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/", "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/",
	"github.com/aws/aws-sdk-go-v2/service/lambda/",
}

// operators are the trees of the operator's command.
var operators = []string{"/internal/operator/", "/cmd/procore-connect/"}

// local are the trees that are not deployed.
var local = []string{"/internal/testing/", "/pkg/procoretest/", "/cmd/local/"}

// inTree reports whether a package is in one of the trees.
func inTree(path, module string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool {
		if strings.HasPrefix(tree, "/") {
			tree = module + tree
		}
		return strings.HasPrefix(path+"/", tree)
	})
}

// What is deployed links nothing that only tests, the local stack and the operator's command need.
func TestDeployedLinksNoTests(t *testing.T) {
	t.Parallel()
	module := module(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", "lambda.norpc", "-json=ImportPath,Deps", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var checked []string
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if inTree(p.ImportPath, module, local) {
			continue
		}
		checked = append(checked, strings.TrimPrefix(p.ImportPath, module+"/"))
		for _, dep := range p.Deps {
			if inTree(dep, module, onlyTests) {
				t.Errorf("%s depends on %s, which is for tests", p.ImportPath, dep)
			}
			if inTree(dep, module, onlyOperator) && !inTree(p.ImportPath, module, operators) {
				t.Errorf("%s depends on %s, which is for the operator's command", p.ImportPath, dep)
			}
		}
	}
	for dir := range functions {
		if !slices.Contains(checked, dir) {
			t.Errorf("%s was not checked, only %v", dir, checked)
		}
	}
}
