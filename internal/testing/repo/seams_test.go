package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// seams is the one deployed file that asks the machine for time, randomness and connections.
const seams = "pkg/procore/seams.go"

// machine are the names, by package, that bring them.
var machine = map[string]*regexp.Regexp{
	"time":         regexp.MustCompile(`^(Now|Since|Until|After|AfterFunc|NewTimer|NewTicker|Tick|Sleep)$`),
	"crypto/rand":  regexp.MustCompile(`.`),
	"math/rand":    regexp.MustCompile(`.`),
	"math/rand/v2": regexp.MustCompile(`.`),
	"net":          regexp.MustCompile(`^Dial`),
	"crypto/tls":   regexp.MustCompile(`^Dial`),
	"net/http":     regexp.MustCompile(`^(Default(Client|Transport)|Get|Head|Post|PostForm)$`),
}

// A component takes time, randomness and connections from its Clock, Random and Dial. Then a test, or a scheduler that
// runs the whole system, can replace all of them. So no other deployed code asks the machine; a fork's own function may.
func TestSeams(t *testing.T) {
	t.Parallel()
	scanned := 0
	for _, file := range tracked(t, root) {
		if !deployedTrees.MatchString(file) || strings.HasPrefix(file, "examples/") || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		scanned++
		asked := machineCalls(t, file, read(t, file))
		if file == seams {
			if len(asked) < 5 {
				t.Errorf("%s has %d calls of the machine: is it still the seams' file?", file, len(asked))
			}
			continue
		}
		for _, call := range asked {
			t.Errorf("%s: use the component's procore.Clock, Random or Dial, or procore.TimeLeft", call)
		}
	}
	if scanned < 100 {
		t.Errorf("%d files scanned: are the trees of deployed code still the same?", scanned)
	}
}

// machineCalls lists the uses of the machine's time, randomness and connections in a file.
func machineCalls(t *testing.T, file, text string) (all []string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string]string{} // the path, by the name in this file
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(path, "/v2")
		name = name[strings.LastIndex(name, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imported[name] = path
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := s.X.(*ast.Ident); ok {
			if names := machine[imported[id.Name]]; names != nil && names.MatchString(s.Sel.Name) {
				all = append(all, set.Position(n.Pos()).String()+": "+id.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return all
}

func TestMachineCalls(t *testing.T) {
	t.Parallel()
	const text = `package x
import (
	"crypto/rand"
	dice "math/rand/v2"
	"net"
	"net/http"
	"time"
)
var _ = []any{time.Now(), time.Second, time.NewTimer, rand.Text(), dice.N(3), net.Dialer{}, net.JoinHostPort, http.DefaultClient, http.Client{}}
`
	got := strings.Join(machineCalls(t, "x.go", text), "\n")
	for _, want := range []string{"time.Now", "time.NewTimer", "rand.Text", "dice.N", "net.Dialer", "http.DefaultClient"} {
		if !strings.Contains(got, ": "+want) {
			t.Errorf("%s is not seen", want)
		}
	}
	if n := strings.Count(got, "\n") + 1; n != 6 {
		t.Errorf("got %d calls, want 6:\n%s", n, got)
	}
}
