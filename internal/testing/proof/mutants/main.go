// Command mutants breaks the code on purpose, in one place at a time, and runs the
// tests, which must fail each time: make mutants.
//
//	go run ./internal/testing/proof/mutants [-run name] [-share n/of] [-build | -simulate 10m]
//
// It changes nothing in the tree: the compiler gets the broken file by go test's
// -overlay. The breakages are in list.go.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// mutant is one breakage.
type mutant struct {
	rule     string // what it breaks: R1 to R9 of docs/DESIGN.md, D for a defence, or a part of the protocol
	name     string
	file     string // from the repository's root
	old, new string // old is in the file exactly once
	test     string // flags of go test, and the packages whose tests must fail
}

func main() {
	only := flag.String("run", "", "run only the mutants whose rule and name match this `regexp`, as '^D ' or 'R1 the ledger'")
	share := flag.String("share", "0/1", "run those that break one of R1 to R9, and one `n/of` of the others")
	build := flag.Bool("build", false, "see only that each mutant compiles, which takes a minute or two")
	simulate := flag.Duration("simulate", 0, "let make simulate search for this `time` for each mutant, instead of its test")
	flag.Parse()
	caught := mutant.caught
	switch {
	case *build:
		caught = mutant.compiles
	case *simulate > 0:
		caught = func(m mutant, dir string) (by string, err error) { return m.found(dir, *simulate) }
	}
	chosen, err := choose(*only, *share)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	survived, err := run(os.Stdout, chosen, caught)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if len(survived) > 0 {
		os.Exit(1)
	}
}

// ofRule reports whether m breaks one of R1 to R9, so that every share tries it.
func (m mutant) ofRule() bool { return strings.HasPrefix(m.rule, "R") }

// choose returns the mutants whose rule and name match only, without those of the other shares.
func choose(only, share string) ([]mutant, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	var n, of uint32
	if _, err := fmt.Sscanf(share, "%d/%d", &n, &of); err != nil || n >= of {
		return nil, fmt.Errorf("-share %q: want a number and how many there are, from 0/4 to 3/4", share)
	}
	return slices.DeleteFunc(list(), func(m mutant) bool {
		return !match.MatchString(m.rule+" "+m.name) || !m.ofRule() && crc32.ChecksumIEEE([]byte(m.name))%of != n
	}), nil
}

// atOnce is how many run at a time. One alone leaves a second core idle: it compiles package after package.
const atOnce = 2

// run tries the mutants, each in a directory that no other uses at the time, reports
// each as it is done, and those that survived once more at the end.
func run(w io.Writer, mutants []mutant, try func(m mutant, dir string) (by string, err error)) (survived []string, err error) {
	var workers errgroup.Group
	var mu sync.Mutex // of w and survived
	report := func(format string, args ...any) {
		survived = append(survived, fmt.Sprintf(format, args...))
		fmt.Fprint(w, survived[len(survived)-1])
	}
	queue := make(chan mutant, len(mutants))
	for _, m := range mutants {
		queue <- m
	}
	close(queue)
	for range atOnce {
		workers.Go(func() error {
			dir, err := os.MkdirTemp("", "mutants")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			for m := range queue {
				start := time.Now()
				by, err := try(m, dir)
				mu.Lock()
				switch {
				case err != nil:
					report("BROKEN    %-4s %s: %v\n", m.rule, m.name, err)
				case by == "":
					report("SURVIVED  %-4s %s\n", m.rule, m.name)
				default:
					fmt.Fprintf(w, "caught    %-4s %-58s by %s (%.0f s)\n", m.rule, m.name, by, time.Since(start).Seconds())
				}
				mu.Unlock()
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return survived, err
	}
	fmt.Fprint(w, strings.Join(survived, ""))
	fmt.Fprintf(w, "%d caught, %d survived: a rule that can be broken without a failure has no test\n", len(mutants)-len(survived), len(survived))
	return survived, nil
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// caught runs the tests against one breakage and returns the test that caught it, or
// "". A breakage that does not compile is an error, because it proves nothing.
func (m mutant) caught(dir string) (by string, err error) {
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", err
	}
	args := append([]string{"test", "-count=1", "-vet=off", "-overlay", overlay, "-failfast", "-timeout", "240s"}, strings.Fields(m.test)...)
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Env = append(os.Environ(), "EXPLORE_TIME=15s", "EXPLORE_SEED=0", "MUTANT_OVERLAY="+overlay)
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case err == nil:
		return "", nil
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		return "", fmt.Errorf("does not compile:\n%s", text)
	}
	if f := failed.FindStringSubmatch(text); f != nil {
		return f[1], nil
	}
	if strings.Contains(text, "panic: ") {
		return "a panic or the time limit", nil
	}
	return "", fmt.Errorf("go test failed without a failing test:\n%s", text)
}

// problem is what a simulated run reports first.
var problem = regexp.MustCompile(`PROBLEM (.*)`)

// found simulates the broken system, and returns the first problem that is found, or "".
func (m mutant) found(dir string, most time.Duration) (by string, err error) {
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(context.Background(), "go", "test", "-count=1", "-vet=off", "-overlay", overlay, "-timeout", "0",
		"-run", "^TestSimulate$", "-v", "./internal/testing/proof/system")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "SIMULATE="+most.String(), "FROM=1", "FAILURES=1", "COMPANIES=16", "DAYS=1", "EVENTS=8", "STORMS=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return "", nil
	}
	if f := problem.FindSubmatch(out); f != nil {
		return string(f[1]), nil
	}
	return "", fmt.Errorf("go test found no problem:\n%s", out)
}

// compiles builds the broken package, and returns what a mutant is caught by when its
// tests are not run.
func (m mutant) compiles(dir string) (by string, err error) {
	overlay, err := m.overlay(dir)
	if err != nil {
		return "", err
	}
	if filepath.Ext(m.file) != ".go" {
		return "nothing yet, it is not compiled", nil
	}
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", os.DevNull, "-overlay", overlay, "./"+filepath.Dir(m.file)).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("does not compile:\n%s", out)
	}
	return "nothing yet, it compiles", nil
}

// overlay writes the broken file and the description of the overlay.
func (m mutant) overlay(dir string) (path string, err error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("%s has the text that it replaces %d times, not once: update list.go", m.file, n)
	}
	broken := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(broken, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	description, err := json.Marshal(map[string]map[string]string{"Replace": {original: broken}})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, description, 0o600)
}
