package repo

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// A workflow is what these tests read of a file in .github/workflows.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
type workflow struct {
	On          map[string]any
	Permissions map[string]string
	Jobs        map[string]struct {
		If, Needs, Uses string
		Environment     string
		Permissions     map[string]string
		TimeoutMinutes  int `yaml:"timeout-minutes"`
		Steps           []struct {
			Uses, Run string
			With      map[string]string
		}
	}
}

// workflows returns the workflows by their file's name.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	all := make(map[string]workflow)
	for _, file := range files {
		name := filepath.Base(file)
		var w workflow
		if err := yaml.Unmarshal([]byte(read(t, ".github/workflows/"+name)), &w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = w
	}
	return all
}

// Each action is one of these, at a commit, because its owner can move a tag.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	known := []string{"actions/checkout", "actions/setup-go", "aws-actions/configure-aws-credentials", "aws-actions/setup-sam"}
	pinned := regexp.MustCompile(`^\s+(?:- )?uses: (\S+)@[0-9a-f]{40} # v\d+(?:\.\d+\.\d+)?$`)
	for name := range workflows(t) {
		for i, line := range strings.Split(read(t, ".github/workflows/"+name), "\n") {
			if !strings.Contains(line, "uses:") || strings.Contains(line, "uses: ./") {
				continue
			}
			if m := pinned.FindStringSubmatch(line); m == nil || !slices.Contains(known, m[1]) {
				t.Errorf("%s:%d: %s, want one of %v at 40 hexadecimal digits, with its version", name, i+1, strings.TrimSpace(line), known)
			}
		}
	}
}

// A workflow may read the repository. Only the job of an environment may do one thing more: ask for the token that AWS trusts.
func TestWorkflowsReadOnly(t *testing.T) {
	t.Parallel()
	for name, w := range workflows(t) {
		if d := cmp.Diff(w.Permissions, map[string]string{"contents": "read"}); d != "" {
			t.Errorf("%s: permissions (-got +want):\n%s", name, d)
		}
		for job, j := range w.Jobs {
			want := map[string]string(nil)
			if j.Environment != "" {
				want = map[string]string{"contents": "read", "id-token": "write"}
			}
			if d := cmp.Diff(j.Permissions, want); d != "" {
				t.Errorf("%s: permissions of %s (-got +want):\n%s", name, job, d)
			}
		}
		// These run with the repository's rights on what another repository sends.
		for _, event := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
			if _, ok := w.On[event]; ok {
				t.Errorf("%s runs on %s", name, event)
			}
		}
	}
}

// GitHub puts a value into a script before the shell reads it, so that a branch's name could be a command. A script has
// values from its environment alone. No script follows the credentials that checkout would leave.
func TestScriptsHaveNoExpressions(t *testing.T) {
	t.Parallel()
	for name, w := range workflows(t) {
		for job, j := range w.Jobs {
			for _, step := range j.Steps {
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: a script of %s has an expression: %s", name, job, step.Run)
				}
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != "false" {
					t.Errorf("%s: checkout leaves its credentials to %s", name, job)
				}
			}
		}
	}
}

// A change is checked as on a contributor's machine, and deployed by the commands of docs/DEPLOY.md, but only after the checks.
func TestWorkflowsCheckAndDeploy(t *testing.T) {
	t.Parallel()
	all := workflows(t)
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, []string{"check.yml", "deploy.yml"}) {
		t.Errorf("workflows %v", got)
	}
	run := func(file, job string) (scripts string) {
		for _, step := range all[file].Jobs[job].Steps {
			if step.Run != "" {
				scripts += step.Run + "\n"
			}
		}
		return scripts
	}
	if got := run("check.yml", "check"); got != ".ci/run\n" {
		t.Errorf("check.yml runs %q", got)
	}
	deploy := all["deploy.yml"].Jobs["deploy"]
	if all["deploy.yml"].Jobs["check"].Uses != "./.github/workflows/check.yml" || deploy.Needs != "check" {
		t.Errorf("deploy needs %q", deploy.Needs)
	}
	if _, ok := all["deploy.yml"].On["pull_request"]; ok {
		t.Error("deploy.yml runs on pull requests")
	}
	guide := read(t, "docs/DEPLOY.md")
	script := run("deploy.yml", "deploy")
	for _, command := range []string{"sam build", "sam deploy"} {
		if !strings.Contains(script, "\n"+command) || !strings.Contains(guide, "\n"+command) {
			t.Errorf("%s is not in both deploy.yml and docs/DEPLOY.md", command)
		}
	}
	for _, m := range regexp.MustCompile(`vars\.(\w+)`).FindAllStringSubmatch(read(t, ".github/workflows/deploy.yml"), -1) {
		if !strings.Contains(guide, "`"+m[1]+"`") {
			t.Errorf("docs/DEPLOY.md does not name the variable %s", m[1])
		}
	}
	for file, w := range all {
		for job, j := range w.Jobs {
			if j.Uses == "" && (j.TimeoutMinutes < 1 || j.TimeoutMinutes > 90) {
				t.Errorf("%s: %s may run for %d minutes", file, job, j.TimeoutMinutes)
			}
		}
	}
	if version := regexp.MustCompile(`(?m)^version=(\S+)$`).FindStringSubmatch(read(t, ".ci/with-sam")); version == nil ||
		!strings.Contains(read(t, ".github/workflows/deploy.yml"), "version: "+version[1]+" ") {
		t.Errorf("deploy.yml does not install the SAM CLI of .ci/with-sam, %v", version)
	} else {
		for _, doc := range []string{"docs/DEPLOY.md", "docs/FIRST-DEPLOY.md"} {
			if !strings.Contains(read(t, doc), "install-sam-cli.html) "+version[1]+" or\nnewer") {
				t.Errorf("%s does not ask for the SAM CLI of .ci/with-sam, %s", doc, version[1])
			}
		}
	}
}
