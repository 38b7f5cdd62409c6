package sam_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The SAM CLI takes each of its commands that the documents have, with its options. TestSAMLocal, TestSAMGuided and
// TestSAMDeploy run most of them.
func TestSAMCommands(t *testing.T) {
	t.Parallel()
	needsSAM(t)
	docs, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	block, line := regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```"), regexp.MustCompile(`(?m)^(?:.*&& )?sam ([^#&\n]+)`)
	seen := make(map[string]bool)
	for _, doc := range append(docs, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range block.FindAllStringSubmatch(string(text), -1) {
			for _, m := range line.FindAllStringSubmatch(b[1], -1) {
				words := strings.Fields(m[1])
				if invocation.MatchString("sam "+m[1]) || seen[m[1]] {
					continue // TestSAMLocal runs each invocation
				}
				seen[m[1]] = true
				// An option that SAM does not know is an error even before --help.
				if out, err := command(t.Context(), root, "sam", append(words, "--help")...).CombinedOutput(); err != nil {
					t.Errorf("%s: sam %s: %v\n%s", filepath.Base(doc), m[1], err, out)
				}
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("the documents have %d commands of SAM", len(seen))
	}
}
