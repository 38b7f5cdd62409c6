package repo

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"regexp"
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

// linked returns the packages that each package of the module links when it is built for Lambda.
func linked(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", "lambda.norpc", "-json=ImportPath,Deps", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := make(map[string][]string)
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p.Deps
	}
	return all
}

// What is deployed links nothing that only tests, the local stack and the operator's command need.
func TestDeployedLinksNoTests(t *testing.T) {
	t.Parallel()
	module, all := module(t), linked(t)
	for path, deps := range all {
		if inTree(path, module, local) {
			continue
		}
		for _, dep := range deps {
			if inTree(dep, module, onlyTests) {
				t.Errorf("%s depends on %s, which is for tests", path, dep)
			}
			if inTree(dep, module, onlyOperator) && !inTree(path, module, operators) {
				t.Errorf("%s depends on %s, which is for the operator's command", path, dep)
			}
		}
	}
	for dir := range functions {
		if all[module+"/"+dir] == nil {
			t.Errorf("%s was not checked", dir)
		}
	}
}

// unused are trees that a function has no use for. They would slow its cold start.
var unused = map[string][]string{
	"functions/webhook-receiver": {"/pkg/tokens/", "/pkg/connections/", "/pkg/link/"},
	"functions/dispatcher":       {"/pkg/tokens/", "/pkg/connections/", "/pkg/link/", "/pkg/keys/"},
}

var service = regexp.MustCompile(`^github\.com/aws/aws-sdk-go-v2/service/(\w+)$`)

// A function links the client of no service of AWS that its role may not use, because each client makes thousands of
// allocations when a function starts. And it links nothing that it has no use for.
func TestFunctionsLinkWhatTheyUse(t *testing.T) {
	t.Parallel()
	module, all, may := module(t), linked(t), permissions(t)
	for dir := range functions {
		if all[module+"/"+dir] == nil || may[path.Base(dir)] == nil {
			t.Errorf("%s was not checked", dir)
		}
		for _, dep := range all[module+"/"+dir] {
			client := service.FindStringSubmatch(dep)
			if client != nil && !slices.ContainsFunc(may[path.Base(dir)], func(p *permission) bool {
				return slices.ContainsFunc(p.actions, func(action string) bool { return strings.HasPrefix(action, client[1]+":") })
			}) {
				t.Errorf("%s links the client of %s, which its role may not use", dir, client[1])
			}
			if inTree(dep, module, unused[dir]) {
				t.Errorf("%s links %s, which it does not use", dir, dep)
			}
		}
	}
}
