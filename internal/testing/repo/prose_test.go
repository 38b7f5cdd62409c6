package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A passage is prose as it is written in a file. Its line breaks are those of the file; code in it is blanked.
type passage struct {
	file string
	line int // of its first character
	kind string
	text string
}

// The kinds of passages.
const (
	comment  = "comment"
	message  = "message" // a string in deployed code, a page, or a description in template.yaml
	document = "document"
)

// tracked returns the files of a repository, without what was built.
func tracked(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", ".aws-sam", "build", "node_modules", "testdata"}, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		all = append(all, filepath.ToSlash(rel))
		return err
	})
	if err != nil || all == nil {
		t.Fatalf("no files: %v", err)
	}
	return all
}

// prose returns the passages of all files.
func prose(t *testing.T) (all []passage) {
	t.Helper()
	for _, file := range tracked(t, root) {
		switch ext := filepath.Ext(file); {
		case ext == ".go":
			all = append(all, proseOfGo(t, file, read(t, file))...)
		case ext == ".md":
			all = append(all, passage{file, 1, document, plain(read(t, file))})
		case ext == ".html":
			all = append(all, passage{file, 1, message, blank(markup, read(t, file))})
		case file == "template.yaml":
			all = append(all, describedIn(t, file)...)
			all = append(all, lines(file, comment, hashed, read(t, file))...)
		case strings.HasSuffix(file, ".schema.json"):
			all = append(all, lines(file, message, described, read(t, file))...)
		case ext == ".mjs" || ext == ".pml" || ext == ".css":
			all = append(all, lines(file, comment, slashed, read(t, file))...)
		case ext == ".yml" || ext == ".toml" || ext == ".sh" || file == "Makefile" || strings.HasPrefix(file, ".ci/"):
			all = append(all, lines(file, comment, hashed, read(t, file))...)
		}
	}
	return all
}

var (
	markup    = regexp.MustCompile(`(?s)\{\{.*?\}\}|<[^>]*>`)
	codeSpan  = regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]+`|^    \\S.*$")
	target    = regexp.MustCompile(`(?m)\]\([^)\s]+\)|^\[[^\]]+\]: .*$|<[^>\n]*>`)
	described = regexp.MustCompile(`"description": "(.*)"`)
	shown     = regexp.MustCompile(`Description$|^DisplayName$|^default$`)
	hashed    = regexp.MustCompile(`(?:^|\s)##? (.*)`)
	slashed   = regexp.MustCompile(`(?:^|\s)(?://|/?\*) (.*)`)
)

// blank replaces what matches, all but its line breaks, by blanks.
func blank(what *regexp.Regexp, text string) string {
	return what.ReplaceAllStringFunc(text, func(s string) string {
		return regexp.MustCompile(`[^\n]`).ReplaceAllString(s, " ")
	})
}

// plain is Markdown without code, tags and the targets of links.
func plain(text string) string { return blank(target, blank(codeSpan, text)) }

// lines returns what the expression's groups match. Such lines that follow each other are one passage.
func lines(file, kind string, what *regexp.Regexp, text string) (all []passage) {
	last := -1
	for i, line := range strings.Split(text, "\n") {
		found := what.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		if last == i-1 && last >= 0 {
			all[len(all)-1].text += "\n" + found[1]
		} else {
			all = append(all, passage{file, i + 1, kind, found[1]})
		}
		last = i
	}
	return all
}

// describedIn returns what people read of template.yaml: in sam deploy --guided, in CloudFormation and in alarms.
func describedIn(t *testing.T, file string) (all []passage) {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, file)), &document); err != nil {
		t.Fatal(err)
	}
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		for i, inner := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 1 && inner.Kind == yaml.ScalarNode && strings.Contains(inner.Value, " ") &&
				shown.MatchString(n.Content[i-1].Value) {
				all = append(all, passage{file, inner.Line, message, inner.Value})
			}
			visit(inner)
		}
	}
	visit(&document)
	return all
}

// deployedTrees hold what runs in functions.
var deployedTrees = regexp.MustCompile(`^(functions|examples|internal/(platform|wire|connect|webhook|upkeep)|pkg/(procore|keys|tokens|connections|consumer))/`)

// proseOfGo returns the comments of a Go file and, in deployed code, its strings of more than one word.
func proseOfGo(t *testing.T, file, text string) (all []passage) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range f.Comments {
		all = append(all, passage{file, set.Position(group.Pos()).Line, comment, commented(group)})
	}
	if !deployedTrees.MatchString(file) || strings.HasSuffix(file, "_test.go") {
		return all
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(s, " ") {
				all = append(all, passage{file, set.Position(lit.Pos()).Line, message, s})
			}
		}
		return true
	})
	return all
}

// commented is a comment's text without its marks, directives and code.
func commented(group *ast.CommentGroup) string {
	var all []string
	for _, c := range group.List {
		for line := range strings.SplitSeq(c.Text, "\n") {
			line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(line, "//"), "/*"), "*/")
			switch {
			case strings.HasPrefix(line, "nolint:"):
				_, line, _ = strings.Cut(line, " // ")
			case !strings.HasPrefix(line, " ") || strings.HasPrefix(line, " \t"):
				line = "" // a directive, or code
			}
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}
