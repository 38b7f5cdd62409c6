package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// unset are the components that deployed code makes without their seams, and why.
var unset = map[string]string{
	"internal/platform/secrets/app.go: procore.OAuth":   "internal/wire/secret, which has the base, sets them",
	"internal/upkeep/announce/tenants.go: tokens.Store": "its environment alone is used, for the key of a row",
	"internal/wire/setup.go: Base":                      "they are its caller's to set",
}

// Deployed code passes each component that it makes all of its seams. So a test, or a scheduler that runs the whole system,
// sets them in one place, the base of a function.
func TestSeamsArePassedOn(t *testing.T) {
	t.Parallel()
	files := map[string]*ast.File{}
	for _, file := range tracked(t, root) {
		if !deployedTrees.MatchString(file) || strings.HasPrefix(file, "examples/") || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, read(t, file), parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[file] = f
	}
	components, made := seamed(files), 0
	for file, f := range files {
		for name, missing := range unseamed(f, components) {
			made++
			if _, ok := unset[file+": "+name]; len(missing) > 0 && !ok {
				t.Errorf("%s makes a %s without its %v", file, name, missing)
			}
		}
	}
	if made < 15 {
		t.Errorf("only %d components are made in deployed code: are they still composite literals?", made)
	}
}

// seamed returns the exported seams of each type, by the names of its package and its own.
func seamed(files map[string]*ast.File) map[string][]string {
	components := map[string][]string{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range s.Fields.List {
					for _, name := range field.Names {
						kind := strings.TrimPrefix(typeName(field.Type), "procore.")
						if kind == name.Name && slices.Contains([]string{"Clock", "Random", "Dial"}, kind) {
							key := f.Name.Name + "." + spec.Name.Name
							components[key] = append(components[key], kind)
						}
					}
				}
			}
			return true
		})
	}
	return components
}

// unseamed returns the seams that each component of a file is made without, by the type as the file names it.
func unseamed(f *ast.File, components map[string][]string) map[string][]string {
	found := map[string][]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		made, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		name := typeName(made.Type)
		seams := components[name]
		if !strings.Contains(name, ".") {
			seams = components[f.Name.Name+"."+name]
		}
		if seams == nil {
			return true
		}
		found[name] = append(found[name], slices.DeleteFunc(slices.Clone(seams), func(seam string) bool {
			return slices.ContainsFunc(made.Elts, func(e ast.Expr) bool {
				pair, ok := e.(*ast.KeyValueExpr)
				return ok && typeName(pair.Key) == seam
			})
		})...)
		return true
	})
	return found
}

// typeName returns the name of a type as a file writes it, without type arguments.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	case *ast.IndexExpr:
		return typeName(e.X)
	}
	return ""
}
