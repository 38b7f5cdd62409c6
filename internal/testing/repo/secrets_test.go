package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

// secretFields matches the names of fields that may hold a secret.
var secretFields = regexp.MustCompile(
	`(?i)token|secret|password|key|code|verifier|cookie|authorization|credential|bearer|csrf|material|pair|access|refresh|^state$`)

// harmless are the fields that match and need not be a procore.Secret, each with the reason.
var harmless = map[string]string{
	"internal/connect/pages Problem.Code":              "names the problem on the page",
	"internal/connect/session Session.code":            "the hash of the code",
	"internal/connect/session Session.cookie":          "the hash of the cookie",
	"internal/webhook/credential Credential.KeyID":     "the name of a key",
	"internal/webhook/provision Memory.Credential":     "the name of a key, and an epoch",
	"internal/webhook/provision Inspection.Credential": "the name of a key, and an epoch",
	"internal/webhook/provision wanted.credential":     "the name of a key, and an epoch",
	"internal/upkeep/announce connection.State":        "the state of a connection",
	"internal/upkeep/announce grant.State":             "the state of a grant",
	"pkg/procore Error.Code":                           "names an error, in REST v2",
	"pkg/procore TokenError.Code":                      "names an error, by RFC 6749",
	"pkg/procore tokenFields.access":                   "exists while an answer is read, and no value holds it",
	"pkg/procore tokenFields.refresh":                  "as access",
	"pkg/procore tokenFields.errorCode":                "names an error, by RFC 6749",
	"pkg/keys Place.Key":                               "the key of a row",
	"pkg/tokens Rescued.SealKey":                       "the name of a key",
	"pkg/keys Sealed.KeyID":                            "the name of a key",
	"pkg/keys sealedToken.Access":                      "exists while a pair is sealed or opened, and no value holds it",
	"pkg/keys sealedToken.Refresh":                     "as Access",
}

// R5: a field that holds a secret is a procore.Secret, which nothing prints. fmt calls no method on an unexported field,
// so a type that hides its text by a method alone shows it there.
func TestSecretsAreOfTypeSecret(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, file := range tracked(t, root) {
		if !deployedTrees.MatchString(file) || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, field := range plainSecrets(t, path.Dir(file), read(t, file)) {
			found[field] = true
			if harmless[field] == "" {
				t.Errorf("%s: make it a procore.Secret, or list it as harmless with the reason", field)
			}
		}
	}
	for field := range harmless {
		if !found[field] {
			t.Errorf("%s is listed as harmless and does not exist", field)
		}
	}
}

func TestPlainSecrets(t *testing.T) {
	t.Parallel()
	const text = `package x
type a struct { Token, name string; keys map[string][]byte; Cookie *string; Access procore.Secret; Extra json.RawMessage }
type b struct { in struct{ password string }; Code int; tokens []procore.Secret; Credential json.RawMessage }
func f() { type c struct { verifier any } }
`
	got := strings.Join(plainSecrets(t, "x", text), ", ")
	if want := "x a.Token, x a.keys, x a.Cookie, x b.in.password, x b.Credential, x c.verifier"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// plainSecrets lists the fields of a file's structs whose name suggests a secret and whose type is text or bytes.
func plainSecrets(t *testing.T, dir, text string) (all []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), dir, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			all = append(all, plainFields(dir+" "+spec.Name.Name, spec.Type)...)
		}
		return true
	})
	return all
}

func plainFields(name string, e ast.Expr) (all []string) {
	s, ok := e.(*ast.StructType)
	if !ok {
		return nil
	}
	for _, field := range s.Fields.List {
		for _, id := range field.Names {
			if secretFields.MatchString(id.Name) && isText(field.Type) {
				all = append(all, name+"."+id.Name)
			}
			all = append(all, plainFields(name+"."+id.Name, field.Type)...)
		}
	}
	return all
}

// isText reports whether a type is text or bytes, or holds them directly.
func isText(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "string" || e.Name == "byte" || e.Name == "any"
	case *ast.ArrayType:
		return isText(e.Elt)
	case *ast.StarExpr:
		return isText(e.X)
	case *ast.MapType:
		return isText(e.Value)
	case *ast.SelectorExpr:
		return e.Sel.Name == "RawMessage"
	}
	return false
}
