package repo

import (
	"regexp"
	"strings"
	"testing"
)

// The checklist of the first deployment names outputs and alarms that template.yaml has, and everything that remains of a
// deleted stack.
func TestFirstDeployment(t *testing.T) {
	t.Parallel()
	n, checklist := template(t), read(t, "docs/FIRST-DEPLOY.md")
	outputs := regexp.MustCompile(`(?:\$\(|(?m)^)out (\w+)`).FindAllStringSubmatch(checklist, -1)
	if len(outputs) < 4 {
		t.Errorf("docs/FIRST-DEPLOY.md reads %d outputs", len(outputs))
	}
	for _, m := range outputs {
		if get(n, "Outputs", m[1]) == nil {
			t.Errorf("docs/FIRST-DEPLOY.md reads the output %s, which template.yaml lacks", m[1])
		}
	}
	for _, alarm := range regexp.MustCompile(`\w+Alarm\b`).FindAllString(checklist, -1) {
		if text(get(n, "Resources", alarm, "Type")) != "AWS::CloudWatch::Alarm" {
			t.Errorf("docs/FIRST-DEPLOY.md names %s, which template.yaml lacks", alarm)
		}
	}
	_, deletion, _ := strings.Cut(checklist, "### 9. Delete the stack")
	deletion, _, _ = strings.Cut(deletion, "\n## ")
	for _, name := range keysOf(get(n, "Resources")) {
		said := regexp.MustCompile(`\b` + strings.TrimSuffix(name, "Table") + `\b`).MatchString(deletion)
		retained := strings.HasPrefix(text(get(n, "Resources", name, "DeletionPolicy")), "Retain")
		if said != retained {
			t.Errorf("docs/FIRST-DEPLOY.md says that %s remains: %t; template.yaml retains it: %t", name, said, retained)
		}
	}
}
