package repo

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// secretNames matches the names of values that an attacker may try to guess.
var secretNames = regexp.MustCompile(`(?i)^(mac|want|cookie|value|state|csrf|secret|verifier|credential|fingerprint|accesstoken|refreshtoken)$`)

// source reads a file as the compiler does: for make mutants it is the broken one.
func source(t *testing.T, path string) string {
	t.Helper()
	var overlay struct{ Replace map[string]string }
	if name := os.Getenv("MUTANT_OVERLAY"); name != "" {
		b, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(b, &overlay)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	full, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if broken := overlay.Replace[full]; broken != "" {
		full = broken
	}
	b, err := os.ReadFile(full)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The time of a comparison does not reveal how much of a guess is right: secrets are compared by hmac.Equal, package
// subtle or procore.Secret's Equal, never by an operator, which stops at the first difference. No test can time that, so
// this one reads the code.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	constant := 0
	for _, pattern := range []string{"pkg/procore/secret.go", "internal/connect/session/*.go", "internal/webhook/credential/*.go",
		"functions/oauth-callback/handler/*.go", "functions/company-select/handler/*.go", "functions/webhook-receiver/handler/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || files == nil {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			path := filepath.Dir(pattern) + "/" + filepath.Base(file)
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, path, source(t, path), 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch comparison(n) {
				case "constant time":
					constant++
				case "early end":
					t.Errorf("%v: this comparison of a secret stops at the first difference", set.Position(n.Pos()))
				}
				return true
			})
		}
	}
	if constant < 5 {
		t.Errorf("%d comparisons in constant time, want at least those of Secret, the cookie, a stored pair, the form and the credential", constant)
	}
}

func comparison(n ast.Node) string {
	switch n := n.(type) {
	case *ast.CallExpr:
		switch called(n.Fun) {
		case "hmac.Equal", "subtle.ConstantTimeCompare":
			return "constant time"
		case "bytes.Equal", "strings.Compare", "strings.EqualFold", "bytes.Compare", "reflect.DeepEqual", "slices.Equal":
			return "early end"
		}
		if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Equal" && len(n.Args) == 1 && isSecret(s.X) {
			return "constant time"
		}
	case *ast.BinaryExpr:
		if (n.Op == token.EQL || n.Op == token.NEQ) && !fixed(n.X) && !fixed(n.Y) && (isSecret(n.X) || isSecret(n.Y)) {
			return "early end"
		}
	}
	return ""
}

func called(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, _ := s.X.(*ast.Ident)
	if pkg == nil {
		return ""
	}
	return pkg.Name + "." + s.Sel.Name
}

// fixed reports whether an expression is nil or a literal: whether a secret is empty is not a secret.
func fixed(e ast.Expr) bool {
	if id, ok := e.(*ast.Ident); ok && id.Name == "nil" {
		return true
	}
	_, ok := e.(*ast.BasicLit)
	return ok
}

func isSecret(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return secretNames.MatchString(e.Name)
	case *ast.SelectorExpr:
		return secretNames.MatchString(e.Sel.Name)
	case *ast.CallExpr:
		s, ok := e.Fun.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Reveal" || slices.ContainsFunc(e.Args, isSecret)
	}
	return false
}
