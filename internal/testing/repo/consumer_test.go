package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// No exported name of pkg/consumer has an internal type, which a module outside could not name.
func TestConsumerHasNoInternalType(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "pkg/consumer/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	exported := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		n, found := internalTypes(t, read(t, strings.TrimPrefix(filepath.ToSlash(file), root+"/")))
		if exported += n; found != nil {
			t.Errorf("%s: exported names with %v", file, found)
		}
	}
	if exported < 10 {
		t.Errorf("only %d exported names", exported)
	}
	const broken = "package p\nimport \"x/internal/q\"\ntype T struct{ F func() []q.A }\nfunc F(*q.C) {}\nfunc (t T) M() q.D { return 0 }\nfunc f(q.E) {}"
	if _, found := internalTypes(t, broken); !slices.Equal(found, []string{"q.A", "q.C", "q.D"}) {
		t.Errorf("of a broken package this test finds %v", found)
	}
}

// internalTypes counts the exported names of a file, and returns the internal types in their declarations.
func internalTypes(t *testing.T, text string) (exported int, found []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	internal := make(map[string]bool) // by the name of the import
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil || i.Name != nil {
			t.Fatalf("import %s: this test does not know its name", i.Path.Value)
		}
		internal[path[strings.LastIndex(path, "/")+1:]] = strings.Contains(path, "internal/")
	}
	in := func(n ast.Node) {
		exported++
		ast.Inspect(n, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && internal[x.Name] {
					found = append(found, x.Name+"."+s.Sel.Name)
				}
			}
			return true
		})
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() {
				in(d.Type)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						in(s.Type)
					}
				case *ast.ValueSpec:
					if s.Type != nil && slices.ContainsFunc(s.Names, (*ast.Ident).IsExported) {
						in(s.Type)
					}
				}
			}
		}
	}
	return exported, found
}

// merge adds a consumer's own template.yaml to the repository's: mappings by their keys, and lists at their end. It
// reports what the repository's has already.
func merge(t *testing.T, at string, base, own node) node {
	t.Helper()
	switch own := own.(type) {
	case *mapping:
		if base == nil {
			return own
		}
		b, ok := base.(*mapping)
		if !ok {
			t.Fatalf("%s is not a mapping", at)
		}
		for _, key := range own.keys {
			if b.values[key] == nil {
				b.keys = append(b.keys, key)
			}
			b.values[key] = merge(t, at+"."+key, b.values[key], own.values[key])
		}
		return b
	case list:
		all, _ := base.(list)
		return append(slices.Clone(all), own...)
	}
	if base != nil {
		t.Errorf("template.yaml has %s already", at)
	}
	return own
}

// The template.yaml of rfi-copy fits into that of the repository. With it the consumer has each variable that it reads,
// and its role allows exactly the calls that its code makes.
func TestTemplateOfRFICopy(t *testing.T) {
	t.Parallel()
	const dir = "examples/rfi-copy"
	own, err := parseYAML(read(t, dir+"/template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	known := keysOf(get(template(t), "Parameters"))
	known = append(known, keysOf(get(template(t), "Resources"))...)
	n := merge(t, "", template(t), own)
	known = append(known, keysOf(get(own, "Resources"))...)
	for _, match := range regexp.MustCompile(`!(?:Ref|GetAtt) (\w+)`).FindAllStringSubmatch(read(t, dir+"/template.yaml"), -1) {
		if !slices.Contains(known, match[1]) {
			t.Errorf("%s is neither a parameter nor a resource", match[1])
		}
	}
	shared := keysOf(get(n, "Globals", "Function", "Environment", "Variables"))
	set := keysOf(get(n, "Resources", "EventConsumerFunction", "Properties", "Environment", "Variables"))
	reads := slices.DeleteFunc(variables(t, dir), func(v string) bool { return slices.Contains(shared, v) })
	if diff := cmp.Diff(set, reads); diff != "" {
		t.Errorf("besides what all functions have, the templates set - the function reads +:\n%s", diff)
	}
	var allowed, called []string
	for _, policy := range items(get(n, "Resources", "EventConsumerRole", "Properties", "Policies")) {
		for _, s := range items(get(policy, "PolicyDocument", "Statement")) {
			if slices.Contains(texts(get(s, "Resource")), "RfisTable.Arn") {
				allowed = append(allowed, texts(get(s, "Action"))...)
			}
		}
	}
	for _, match := range regexp.MustCompile(`\bdb\.(\w+)\(`).FindAllStringSubmatch(read(t, dir+"/copies.go"), -1) {
		called = append(called, "dynamodb:"+match[1])
	}
	if diff := cmp.Diff(allowed, called); diff != "" || len(called) == 0 {
		t.Errorf("the role allows - the code calls +:\n%s", diff)
	}
	if len(items(get(n, "Resources", "EventConsumerRole", "Properties", "Policies"))) != 2 {
		t.Error("the role has not two policies")
	}
}
