package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// lambdas lists the variables that Lambda or sam local sets.
var lambdas = []string{"AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SAM_LOCAL", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}

var getenv = regexp.MustCompile(`os\.(Getenv|LookupEnv|Environ)\b`)

// These variables no function reads. The first makes a function change with the parameters, and Go reads the second.
const publishing, processors = "CONFIGURATION", "GOMAXPROCS"

// A function has each variable that it reads. What several functions read is in Globals, what one alone reads is its own.
// No variable is declared that no function reads.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	n := template(t)
	shared := keysOf(get(n, "Globals", "Function", "Environment", "Variables"))
	readers := make(map[string]int)
	for dir, name := range functions {
		own := keysOf(get(n, "Resources", name, "Properties", "Environment", "Variables"))
		reads := variables(t, dir)
		var missing []string
		for _, v := range reads {
			readers[v]++
			if !slices.Contains(shared, v) && !slices.Contains(own, v) {
				missing = append(missing, v)
			}
		}
		if missing != nil {
			t.Errorf("%s reads %v, which template.yaml does not set for it", name, missing)
		}
		for _, v := range own {
			if !slices.Contains(reads, v) || slices.Contains(shared, v) {
				t.Errorf("%s has its own %s, which it does not read, or which all have", name, v)
			}
		}
	}
	for _, v := range shared {
		if readers[v] < 2 && v != publishing && v != processors {
			t.Errorf("%d functions read %s, which all have", readers[v], v)
		}
	}
}

// variables returns the variables that a function reads. It follows the calls of main, of the handler's New and of
// wire into the packages that read the environment.
func variables(t *testing.T, dir string) []string {
	t.Helper()
	s := scan{reads: make(map[string]map[string]bool), calls: make(map[string]map[string]bool)}
	wires := dir + "/handler"
	if strings.Contains(read(t, dir+"/main.go"), `/pkg/consumer"`) {
		wires = "pkg/consumer"
	}
	wiring := read(t, wires+"/wire.go")
	for _, d := range []string{dir, wires, "internal/platform/config", "internal/wire"} {
		s.files(t, d)
	}
	// Which have functions of the same names, ReadConfig and New.
	for _, d := range []string{"internal/webhook/provision", "internal/webhook/reconcile", "internal/wire/secret", "internal/wire/stores", "internal/wire/links"} {
		if strings.Contains(wiring, "/"+d+`"`) {
			s.files(t, d)
		}
	}
	found := make(map[string]bool)
	seen := make(map[string]bool)
	var visit func(string)
	visit = func(f string) {
		if seen[f] {
			return
		}
		seen[f] = true
		maps.Copy(found, s.reads[f])
		for g := range s.calls[f] {
			visit(g)
		}
	}
	visit("main")
	visit("New") // which main passes on
	for _, v := range lambdas {
		delete(found, v)
	}
	return slices.Sorted(maps.Keys(found))
}

// scan maps a function or method to the variables that it reads and to its calls.
type scan struct{ reads, calls map[string]map[string]bool }

func (s scan) files(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || paths == nil {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	for _, path := range paths {
		// In a function's package, only the wiring reads the environment.
		if strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(dir, "internal") && !slices.Contains([]string{"main.go", "consumer.go", "wire.go"}, filepath.Base(path)) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				s.function(t, f)
			}
		}
	}
}

func (s scan) function(t *testing.T, f *ast.FuncDecl) {
	t.Helper()
	name := f.Name.Name
	if s.reads[name] == nil {
		s.reads[name], s.calls[name] = make(map[string]bool), make(map[string]bool)
	}
	constants := make(map[string]ast.Expr)
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			constants[spec.Names[0].Name] = spec.Values[0]
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		called := callee(call)
		s.calls[name][called] = true
		switch called {
		case "Require", "Optional", "Number", "Flag", "Getenv", "LookupEnv", "Table":
			s.read(name, "", call.Args[0], constants)
		case "Endpoint":
			s.read(name, "AWS_ENDPOINT_URL_", call.Args[0], constants)
		}
		return true
	})
}

// read records a variable that is named by a literal or a constant. Any other name is a parameter, whose value is
// recorded at the caller.
func (s scan) read(function, prefix string, name ast.Expr, constants map[string]ast.Expr) {
	if id, ok := name.(*ast.Ident); ok && constants[id.Name] != nil {
		name = constants[id.Name]
	}
	if lit, ok := name.(*ast.BasicLit); ok {
		if text, err := strconv.Unquote(lit.Value); err == nil {
			s.reads[function][prefix+text] = true
		}
	}
}

func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// No other code reads the environment, where TestEnvironment would miss it. It sees what the main of an example reads.
func TestEnvironmentIsReadInOnePlace(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"functions", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if m := getenv.Find(text); m != nil {
				t.Errorf("%s calls %s, want config.Env", path, m)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
