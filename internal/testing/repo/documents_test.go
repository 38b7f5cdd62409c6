package repo

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	goBlock = regexp.MustCompile("(?ms)^```go$(.*?)^```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	command = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	row     = regexp.MustCompile("(?m)^\\| `([A-Z_]+)`")
)

// documents returns the Markdown files.
func documents(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "build" || d.Name() == ".git" || d.Name() == ".aws-sam" || d.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			rel, err := filepath.Rel(root, path)
			all = append(all, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil || all == nil {
		t.Fatalf("no documents: %v", err)
	}
	return all
}

// Each link to a file or heading of the repository has a target.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, doc := range documents(t) {
		text := fenced.ReplaceAllString(read(t, doc), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, ":") {
				continue // another site
			}
			file := doc
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(doc), target))
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: link to %s, which does not exist", doc, match[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s: link to %s, but there is no such heading", doc, match[1])
			}
		}
	}
}

// anchors returns the names of headings in links.
func anchors(text string) (all []string) {
	for _, match := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N}\- ]`).ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

// Each Go block of the guides compiles: its lines are in a file of these packages.
func TestGuides(t *testing.T) {
	t.Parallel()
	var code []string
	for _, pattern := range []string{"pkg/procore/*.go", "pkg/tokens/*.go", "pkg/procoretest/*.go", "pkg/consumer/*.go", "examples/host-application/host/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || files == nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			code = append(code, unindented(string(b)))
		}
	}
	for _, doc := range []string{"docs/CLIENT.md", "docs/FAKE.md", "docs/HOST-APPLICATION.md"} {
		blocks := goBlock.FindAllStringSubmatch(read(t, doc), -1)
		if len(blocks) == 0 {
			t.Fatalf("%s has no Go block", doc)
		}
		for _, b := range blocks {
			if want := unindented(strings.TrimSpace(b[1])) + "\n"; !slices.ContainsFunc(code, func(c string) bool { return strings.Contains(c, want) }) {
				t.Errorf("%s: no Go file has this:\n%s", doc, b[1])
			}
		}
	}
}

// unindented returns the text without indentation.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return "\n" + strings.Join(lines, "\n")
}

// Each make command that a document names exists.
func TestCommands(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	for _, doc := range documents(t) {
		for _, match := range command.FindAllStringSubmatch(code(read(t, doc)), -1) {
			if !strings.Contains(makefile, "\n"+match[1]+":") {
				t.Errorf("%s names %s, which the Makefile lacks", doc, match[0])
			}
		}
	}
}

// code returns the code spans and blocks of a document.
func code(text string) string {
	spans := regexp.MustCompile("(?s)```.*?```|`[^`]+`").FindAllString(text, -1)
	return strings.Join(spans, "\n")
}

// The table of docs/CONFIGURATION.md names every variable that a function reads.
func TestConfigurationTable(t *testing.T) {
	t.Parallel()
	var want []string
	for dir := range functions {
		want = append(want, variables(t, dir)...)
	}
	slices.Sort(want)
	var got []string
	for _, match := range row.FindAllStringSubmatch(read(t, "docs/CONFIGURATION.md"), -1) {
		got = append(got, match[1])
	}
	slices.Sort(got)
	if d := cmp.Diff(got, slices.Compact(want)); d != "" {
		t.Errorf("the table - what the functions read +:\n%s", d)
	}
}

// No file has the marks of a merge that was not finished.
func TestNothingIsHalfMerged(t *testing.T) {
	t.Parallel()
	mark := regexp.MustCompile(`(?m)^(?:<{7}|>{7}) .*$`)
	for _, file := range tracked(t, root) {
		if m := mark.FindString(read(t, file)); m != "" {
			t.Errorf("%s: %s", file, m)
		}
	}
}

// No program that was built by the way is committed.
func TestNothingIsLarge(t *testing.T) {
	t.Parallel()
	for _, file := range tracked(t, root) {
		if n := len(read(t, file)); n > 1<<20 {
			t.Errorf("%s has %d bytes: is it meant to be committed?", file, n)
		}
	}
}

// docs/LOCAL.md has each option of make run.
func TestLocalOptions(t *testing.T) {
	t.Parallel()
	doc := read(t, "docs/LOCAL.md")
	options := regexp.MustCompile(`\b(?:address|f\.\w+)\((?:&[\w.]+, )?"([a-z]+)",`).FindAllStringSubmatch(read(t, "cmd/local/options.go"), -1)
	if len(options) < 10 {
		t.Errorf("cmd/local/options.go declares %d options", len(options))
	}
	for _, m := range options {
		if !regexp.MustCompile("`-" + m[1] + "\\b").MatchString(doc) {
			t.Errorf("docs/LOCAL.md lacks the option -%s", m[1])
		}
	}
}

// The index has every document of docs.
func TestDocumentsIndex(t *testing.T) {
	t.Parallel()
	index := read(t, "docs/README.md")
	for _, doc := range documents(t) {
		if name, ok := strings.CutPrefix(doc, "docs/"); ok && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md lacks %s", name)
		}
	}
}

var option = regexp.MustCompile("`((?:Err|With)[A-Z][A-Za-z]*)[`(]")

// Each error and option that the client's guide names exists.
func TestClientGuideNames(t *testing.T) {
	t.Parallel()
	found := option.FindAllStringSubmatch(read(t, "docs/CLIENT.md"), -1)
	if len(found) < 10 {
		t.Errorf("docs/CLIENT.md names %d errors and options", len(found))
	}
	for _, m := range found {
		if !declares(t, "pkg/procore", m[1]) {
			t.Errorf("docs/CLIENT.md names %s, which package procore does not declare", m[1])
		}
	}
}

// The README's map has every function and table of the template, and its numbers are those of the repository.
func TestReadmeIsTrue(t *testing.T) {
	t.Parallel()
	readme, n := read(t, "README.md"), template(t)
	drawn := blocks(t, "README.md", "On AWS", "mermaid")[0]
	for dir := range functions {
		if name := path.Base(dir); !regexp.MustCompile(`\[` + name + `\b`).MatchString(drawn) {
			t.Errorf("README.md's map lacks %s", name)
		}
	}
	alarms := 0
	for _, name := range keysOf(get(n, "Resources")) {
		switch text(get(n, "Resources", name, "Type")) {
		case "AWS::CloudWatch::Alarm":
			alarms++
		case "AWS::DynamoDB::Table":
			if table := strings.TrimSuffix(name, "Table"); !strings.Contains(drawn, table) {
				t.Errorf("README.md's map lacks the table %s", table)
			}
		}
	}
	if want := fmt.Sprintf("%d alarms", alarms); !strings.Contains(readme, want) {
		t.Errorf("README.md lacks %q", want)
	}
	lines := 0
	for _, file := range tracked(t, root) {
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") && !strings.Contains(file, "test/") && !strings.Contains(file, "/testing/") {
			lines += strings.Count(read(t, file), "\n")
		}
	}
	m := regexp.MustCompile(`(\d+),000 lines of Go`).FindStringSubmatch(readme)
	if m == nil {
		t.Fatal("README.md has no number of lines")
	}
	if said, _ := strconv.Atoi(m[1]); lines < said*950 || lines > said*1150 {
		t.Errorf("README.md says that there are %s,000 lines of Go; there are %d", m[1], lines)
	}
}
