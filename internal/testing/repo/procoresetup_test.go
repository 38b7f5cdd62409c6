package repo

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
)

// docs/PROCORE-SETUP.md names the code's addresses, outputs that the template has, and no other host of Procore.
func TestProcoreSetup(t *testing.T) {
	t.Parallel()
	doc, template := read(t, "docs/PROCORE-SETUP.md"), read(t, "template.yaml")
	got := map[string]procore.Environment{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| (\\S+) \\| (\\S+) \\|").FindAllStringSubmatch(doc, -1) {
		got[m[1]] = procore.Environment{Name: m[1], LoginURL: m[2], APIURL: m[3]}
	}
	want, known := map[string]procore.Environment{}, "https://developers.procore.com"
	for _, e := range []procore.Environment{procore.Sandbox(), procore.Production(), procore.Monthly(), procore.Federal()} {
		want[e.Name] = e
		known += " " + e.LoginURL + " " + e.APIURL
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("environments (-document +code):\n%s", diff)
	}
	for _, host := range regexp.MustCompile(`https://[a-z.-]*procore(gov)?\.com`).FindAllString(doc, -1) {
		if !strings.Contains(known+" ", host+" ") {
			t.Errorf("%s is not an address of an environment", host)
		}
	}
	outputs := regexp.MustCompile("(?i)outputs? `(\\w+)`|secret `(\\w+)`").FindAllStringSubmatch(doc, -1)
	if len(outputs) < 4 {
		t.Errorf("only %d outputs are named", len(outputs))
	}
	for _, m := range outputs {
		if name := m[1] + m[2]; !regexp.MustCompile(`\n  ` + name + `:( \{Desc.*)?\n`).MatchString(template) {
			t.Errorf("the template has no output %s", name)
		}
	}
}
