package procoretest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Each command of docs/FAKE.md works as it is there.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/FAKE.md")
	if err != nil {
		t.Fatal(err)
	}
	p := Start(t)
	count := 0
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllSubmatch(doc, -1) {
		for command := range strings.Lines(string(block[1])) {
			count++
			out := paste(t, strings.NewReplacer("curl ", "curl -s --fail-with-body ", "http://127.0.0.1:4000", p.URL).Replace(command))
			if out == "" || strings.Contains(out, `"error"`) {
				t.Errorf("%s answers %q", command, out)
			}
		}
	}
	if count < 12 {
		t.Errorf("docs/FAKE.md has %d commands", count)
	}
}
