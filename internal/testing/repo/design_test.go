package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const design = "docs/DESIGN.md"

var (
	// guard is a function or a type as the table of rules names it: its package's directory, and its name in it.
	guard = regexp.MustCompile("`([a-z]+(?:/[a-z-]+)+) ([A-Za-z]+(?:\\.[A-Za-z]+)?)`")
	// breakage is a mutant as the table names it: its rule and its name, as `-run` of the mutants takes them.
	breakage = regexp.MustCompile("`([DR][0-9]?) ([^`]+)`")
	// mutant is its entry in the list of mutants.
	mutant = regexp.MustCompile(`\{"([DR][0-9]?)", "([^"]+)",`)
	rule   = regexp.MustCompile(`\bR[0-9]+\b`)
	ruled  = regexp.MustCompile(`(?m)^\| \*\*(R[0-9]+)\*\* (.*) \| (.*) \| (.*) \| (.*) \|$`)
	// inside is the path of a file, as prose names it.
	inside = regexp.MustCompile("`((?:functions|pkg|internal|cmd|examples|docs|spec|events)/[A-Za-z0-9_./-]+)`")
)

// Each rule leads to what guards it, to tests, and to breakages that those catch; and all of them exist.
func TestRules(t *testing.T) {
	t.Parallel()
	mutants := mutantsByRule(t)
	rows := ruled.FindAllStringSubmatch(read(t, design), -1)
	if len(rows) < 8 {
		t.Fatalf("%s has %d rows of rules, want R1 to R8", design, len(rows))
	}
	for i, row := range rows {
		name, guards, tests, breakages := row[1], row[3], row[4], row[5]
		if want := fmt.Sprintf("R%d", i+1); name != want {
			t.Errorf("row %d is of %s, want %s", i+1, name, want)
		}
		found := guard.FindAllStringSubmatch(guards, -1)
		if len(found) == 0 && !inside.MatchString(guards) {
			t.Errorf("%s has no guard", name)
		}
		for _, g := range found {
			if !declares(t, g[1], g[2]) {
				t.Errorf("%s: %s of package %s does not exist", name, g[2], g[1])
			}
		}
		found = named.FindAllStringSubmatch(tests, -1)
		if len(found) == 0 {
			t.Errorf("%s has no test", name)
		}
		for _, n := range found {
			if !hasTest(t, n[1], n[2]) {
				t.Errorf("%s: %s of package %s does not exist", name, n[2], n[1])
			}
		}
		own := false
		for _, b := range breakage.FindAllStringSubmatch(breakages, -1) {
			own = own || b[1] == name
			if !slices.Contains(mutants[b[1]], b[2]) {
				t.Errorf("%s: there is no mutant %q of %s", name, b[2], b[1])
			}
		}
		if !own {
			t.Errorf("%s has no mutant of its own", name)
		}
	}
}

// mutantsByRule returns the names of the mutants.
func mutantsByRule(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, file := range tracked(t, root) {
		if path.Dir(file) != "internal/testing/proof/mutants" {
			continue
		}
		for _, m := range mutant.FindAllStringSubmatch(read(t, file), -1) {
			all[m[1]] = append(all[m[1]], m[2])
		}
	}
	return all
}

// declares reports whether the package in the directory declares a function, a method (Type.Method), a type or a
// variable of this name, outside its tests.
func declares(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if slices.Contains(namesOf(d), name) {
				return true
			}
		}
	}
	return false
}

// namesOf returns the names that a declaration declares.
func namesOf(d ast.Decl) (all []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return []string{receiver(d) + d.Name.Name}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				all = append(all, s.Name.Name)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					all = append(all, n.Name)
				}
			}
		}
	}
	return all
}

// receiver returns the type of a method with a dot, and nothing for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	expression := f.Recv.List[0].Type
	if p, ok := expression.(*ast.StarExpr); ok {
		expression = p.X
	}
	if g, ok := expression.(*ast.IndexExpr); ok {
		expression = g.X
	}
	if id, ok := expression.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}

// Each file that the design names exists.
func TestDesignFiles(t *testing.T) {
	t.Parallel()
	found := inside.FindAllStringSubmatch(read(t, design), -1)
	if len(found) < 20 {
		t.Errorf("%s names %d files: are they still in code spans?", design, len(found))
	}
	for _, m := range found {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("%s names %s, which does not exist", design, m[1])
		}
	}
}

// The map has every package that is deployed or run.
func TestMapIsComplete(t *testing.T) {
	t.Parallel()
	drawn := fenced.FindString(read(t, design))
	for _, file := range tracked(t, root) {
		dir := path.Dir(file)
		if path.Ext(file) != ".go" || dir == "." || strings.HasPrefix(dir, "internal/testing/") {
			continue
		}
		name := path.Base(dir)
		if house, ok := strings.CutPrefix(path.Dir(dir), "internal/"); ok {
			name = house + "/" + name
		}
		if !regexp.MustCompile(`(?m)^ *\S*` + regexp.QuoteMeta(name) + ` `).MatchString(drawn) {
			t.Errorf("the map of %s lacks %s", design, dir)
		}
	}
}
