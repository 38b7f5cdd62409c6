package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// The bench starts every function, and each kind of pause ends with an answer.
func TestSmallBench(t *testing.T) {
	t.Parallel()
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("compiles and starts the functions, and reads their CPU time")
	}
	b := newBench(t)
	for _, f := range functions {
		p, err := b.sandbox(b.subject(f), how{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Warm(t.Context()); err != nil || p.init <= 0 || p.initCPU <= 0 {
			t.Errorf("%s took %v, CPU %v, to start: %v", f, p.init, p.initCPU, err)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
	if err := b.warm(t.Context(), b.subject(receiver)); err != nil || b.seen[perCore][receiver][0] <= 0 {
		t.Errorf("warm webhooks: %v, %v", b.seen, err)
	}
	all, err := b.pauses(t.Context(), []time.Duration{time.Millisecond}, 1)
	if err != nil || len(all) != 4 {
		t.Fatalf("%d kinds of pause, %v, want 4", len(all), err)
	}
	for _, r := range all {
		if r.answer <= 0 || r.warm <= 0 || r.kind.closed != (r.opened > 0) {
			t.Errorf("after %v: warm %v, answer %v, %d connections opened", r.kind, r.warm, r.answer, r.opened)
		}
	}
}

// newBench returns a bench with the functions, whole cores for all of them, and no peers.
func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{bin: filepath.Join(dir, "bin"), seen: make(series)}
	if err := build(t.Context(), b.bin, parts{"warm"}); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.world, err = newWorld(t.Context(), dir, b.settings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// The functions are measured as template.yaml deploys them.
func TestSettings(t *testing.T) {
	t.Parallel()
	file, err := readTemplate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions {
		if file.resourceOf(f) == "" {
			t.Errorf("template.yaml has no function %s", f)
		}
	}
	for _, tt := range []struct {
		own  string
		want int
	}{{"", 256}, {"512", 512}, {"Size", 1024}} {
		var made template
		made.Globals.Function.MemorySize = "256"
		made.Globals.Function.Environment.Variables = map[string]yaml.Node{"GOMAXPROCS": {Value: "1"}, "INBOX_TABLE": {Value: "x"}}
		made.Parameters = map[string]parameter{"Size": {"1024"}}
		made.Resources = map[string]resource{"WebhookReceiverFunction": {properties{tt.own}}}
		s, err := made.settings()
		if err != nil || s.megabytes(receiver) != tt.want || s.String() != "256 MB, GOMAXPROCS=1" {
			t.Errorf("memory %q: %v, %v, want %d", tt.own, s, err, tt.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		want   string
	}{
		{[]float64{3}, " 3.00  3.00  3.00"},
		{[]float64{4, 1, 2, 3, 5}, " 2.00  3.00  4.00"},
		{[]float64{2, 1}, " 1.25  1.50  1.75"},
		{[]float64{0, 20, 1628}, "10.00 20.00   824"},
	} {
		if got := quartiles(tt.values); got != tt.want {
			t.Errorf("quartiles of %v: %q, want %q", tt.values, got, tt.want)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"":              row{}.judge(9),
		"<= 1.5 met":    row{goal: 1.5}.judge(1.5),
		"<= 1.5 MISSED": row{goal: 1.5}.judge(1.51),
		">= 6 met":      row{goal: 6, atLeast: true}.judge(6),
		">= 6 MISSED":   row{goal: 6, atLeast: true}.judge(5.99),
	} {
		if got != want {
			t.Errorf("judged %q, want %q", got, want)
		}
	}
}

var columns = regexp.MustCompile(`  +`)

// docs/PERFORMANCE.md has the rows that make bench PEERS=1 prints, in its order, those of the pauses from another run.
func TestDocumented(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/PERFORMANCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "\n$ make bench PEERS=1 PAUSES=\n")
	block, _, _ = strings.Cut(block, "```")
	var got, want [][]string
	for line := range strings.Lines(block) {
		switch c := columns.Split(strings.TrimSpace(line), -1); {
		case len(c) < 6 || line[0] == '$' || c[1] == "of" || c[1] == "connections": // no row
		case c[1] == "alive" || c[1] == "closed":
			got = append(got, c[:2])
		default:
			got = append(got, []string{c[0], c[1], c[3]})
		}
	}
	for _, r := range rows() {
		want = append(want, []string{string(r.quantity), r.name, r.against})
	}
	for _, k := range kinds([]time.Duration{100 * time.Second, 305 * time.Second}) {
		want = append(want, []string{k.String(), k.connections()})
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("docs/PERFORMANCE.md lacks rows of make bench PEERS=1, or has others (-documented +printed):\n%s", d)
	}
}
