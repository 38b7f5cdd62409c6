package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// A finding is a place whose English is not this project's.
type finding struct {
	check, file string
	line        int
	what        string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.file, f.line, f.check, f.what)
}

// The checks.
const (
	banned   = "word"    // a word of the list
	verbs    = "verb"    // gives, says or tells in a comment of code that is no test
	boolean  = "boolean" // an exported function returns a bool, and its comment lacks "reports whether"
	replaced = "name"    // an identifier that was replaced
	columns  = "columns" // a line of Markdown has more than 120 columns
	long     = "long"    // a sentence of Markdown has more than 30 words
)

// maxVerbs is the share of sentences in comments that may use gives, says or tells.
const maxVerbs = 0.01

var checks = []string{banned, verbs, boolean, replaced, columns, long}

var (
	verb        = regexp.MustCompile(`(?i)\b(?:gives|says|tells)\b`)
	boundary    = regexp.MustCompile(`[.!?]["')\]*_]*(?:\s+|$)|\n\s*\n|\n\s*(?:[-*#>]|\d+\.)\s|\s?\|\s?`)
	abbreviated = regexp.MustCompile(`\b(?:e\.g|i\.e|etc|vs)\.`)
	address     = regexp.MustCompile(`\]\([^)\s]+\)|https?://\S+`)
)

// sentencesOf splits a text where sentences, paragraphs, list items and cells of tables end.
func sentencesOf(text string) (all []passage) {
	text = abbreviated.ReplaceAllStringFunc(text, func(s string) string { return strings.ReplaceAll(s, ".", " ") })
	start := 0
	add := func(end int) {
		if s := text[start:end]; strings.ContainsFunc(s, unicode.IsLetter) {
			trimmed := strings.TrimLeftFunc(s, unicode.IsSpace)
			before := text[:start+len(s)-len(trimmed)]
			all = append(all, passage{line: strings.Count(before, "\n"), text: strings.TrimSpace(trimmed)})
		}
	}
	for _, at := range boundary.FindAllStringIndex(text, -1) {
		add(at[0])
		start = at[1]
	}
	add(len(text))
	return all
}

// survey returns all findings, and by directory how many sentences the comments have among which verbs are counted.
func survey(t *testing.T) (all []finding, counted map[string]int) {
	t.Helper()
	counted = make(map[string]int)
	for _, p := range prose(t) {
		all = append(all, bannedIn(p)...)
		if p.kind == comment && strings.HasSuffix(p.file, ".go") && !strings.HasSuffix(p.file, "_test.go") {
			counted[path.Dir(p.file)] += len(sentencesOf(p.text))
			all = append(all, verbsIn(p)...)
		}
		if p.kind == document {
			all = append(all, documentStyle(p.file, read(t, p.file), p.text)...)
		}
	}
	for _, file := range tracked(t, root) {
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			all = append(all, declarations(t, file, read(t, file))...)
		}
	}
	return all, counted
}

// verbsIn returns the sentences that say gives, says or tells.
func verbsIn(p passage) (all []finding) {
	for _, s := range sentencesOf(p.text) {
		if p.kind == comment && verb.MatchString(s.text) {
			all = append(all, finding{verbs, p.file, p.line + s.line, oneLine(s.text)})
		}
	}
	return all
}

func bannedIn(p passage) (all []finding) {
	text := blank(fine, p.text)
	for _, w := range words {
		for _, at := range w.bad.FindAllStringIndex(text, -1) {
			line := p.line + strings.Count(p.text[:at[0]], "\n")
			all = append(all, finding{banned, p.file, line, fmt.Sprintf("not %q but %s", oneLine(p.text[at[0]:at[1]]), w.instead)})
		}
	}
	return all
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// documentStyle checks what is read line by line and sentence by sentence. Tables, code and addresses may be as long as they are.
func documentStyle(file, text, plain string) (all []finding) {
	text = fenced.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) })
	for i, line := range strings.Split(text, "\n") {
		width := utf8.RuneCountInString(address.ReplaceAllString(line, ""))
		if !strings.HasPrefix(line, "|") && width > 120 {
			all = append(all, finding{columns, file, i + 1, fmt.Sprint(width)})
		}
	}
	for _, s := range sentencesOf(plain) {
		if n := len(strings.Fields(s.text)); n > 30 {
			all = append(all, finding{long, file, 1 + s.line, fmt.Sprintf("%d words: %.60s…", n, oneLine(s.text))})
		}
	}
	return all
}

// declarations checks what a file declares: the comments of boolean functions, and names that were replaced.
func declarations(t *testing.T, file, text string) (all []finding) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if returnsBool(n) && exported(n) && !strings.Contains(oneLine(n.Doc.Text()), "reports whether") {
				all = append(all, finding{boolean, file, set.Position(n.Pos()).Line, n.Name.Name + `: "reports whether"`})
			}
		case *ast.Ident:
			if instead, ok := oldNames[strings.ToLower(n.Name)]; ok {
				all = append(all, finding{replaced, file, set.Position(n.Pos()).Line, n.Name + ": " + instead})
			}
		}
		return true
	})
	return all
}

// exported reports whether other packages can name the function, and a method's type.
func exported(f *ast.FuncDecl) bool {
	of := receiver(f)
	return f.Name.IsExported() && (of == "" || ast.IsExported(of))
}

func returnsBool(f *ast.FuncDecl) bool {
	results := f.Type.Results
	if results == nil || results.NumFields() != 1 {
		return false
	}
	id, ok := results.List[0].Type.(*ast.Ident)
	return ok && id.Name == "bool"
}

// TestVocabulary holds the repository to its English. With -v it prints every finding, and a table of them by directory.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	found, counted := survey(t)
	list := func(check string) (n int, text string) {
		for _, f := range found {
			if f.check == check {
				n, text = n+1, text+f.String()+"\n"
			}
		}
		return n, text
	}
	for _, check := range checks {
		if n, text := list(check); check != verbs && n > 0 {
			t.Errorf("%d findings of %q:\n%s", n, check, text)
		}
	}
	sentences := 0
	for _, n := range counted {
		sentences += n
	}
	if said, text := list(verbs); float64(said) >= maxVerbs*float64(sentences) {
		t.Errorf("%d of %d sentences in comments use gives, says or tells, not less than %.1f %%:\n%s", said, sentences, 100*maxVerbs, text)
	}
	if testing.Verbose() {
		t.Log(table(found, counted))
	}
}

// table is the report for a person: each finding, then the counts by directory.
func table(found []finding, counted map[string]int) string {
	var b strings.Builder
	b.WriteByte('\n')
	perDir := make(map[string]map[string]int)
	for _, f := range found {
		fmt.Fprintln(&b, f)
		dir := path.Dir(f.file)
		if perDir[dir] == nil {
			perDir[dir] = make(map[string]int)
		}
		perDir[dir][f.check]++
	}
	fmt.Fprintf(&b, "\n%-40s %9s", "directory", "sentences")
	for _, c := range checks {
		fmt.Fprintf(&b, " %7s", c)
	}
	for dir := range counted {
		if perDir[dir] == nil {
			perDir[dir] = nil
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(perDir)) {
		fmt.Fprintf(&b, "\n%-40s %9d", dir, counted[dir])
		for _, c := range checks {
			fmt.Fprintf(&b, " %7d", perDir[dir][c])
		}
	}
	return b.String()
}
