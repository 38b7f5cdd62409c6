// Command leaks runs the tests and searches all of their output, and every log line of the code under test, for
// secrets: make test. It fails if the tests fail or a secret is found.
//
//	go run ./internal/testing/proof/leaks go test ./...
//	go run ./internal/testing/proof/leaks -scan FILE
//
// The tests run with -json, which implies -v: then a test's output includes its log (internal/testing/kit/logtest).
// The command shows what go test shows without -v. The second form searches a file.
//
// A secret is recognized by its form (forms.go), also in base64, percent-encoding and the like (decode.go). The report
// has the kind and the place, never the secret.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

// maxReports bounds the leaks that are reported one by one.
const maxReports = 20

func main() {
	file := flag.String("scan", "", "search this `file` instead of running tests")
	flag.Parse()
	s := &scanner{to: os.Stdout}
	var err error
	if *file != "" {
		err = s.file(*file)
	} else {
		err = s.tests(context.Background(), flag.Args())
	}
	if err = errors.Join(err, s.verdict()); err != nil {
		fmt.Fprintln(os.Stderr, "leaks:", err)
		os.Exit(1)
	}
}

// scanner searches lines and reports what it finds.
type scanner struct {
	to    io.Writer
	bytes int
	found int
}

// scan reports whether the line may be shown.
func (s *scanner) scan(place string, line []byte) bool {
	s.bytes += len(line)
	l, ok := find(line)
	if !ok {
		return true
	}
	if _, named := find([]byte(place)); named { // the secret is part of a subtest's name
		place = "a subtest"
	}
	if s.found++; s.found <= maxReports {
		fmt.Fprintf(s.to, "LEAK: %s: %s %s, after %q\n", place, l.kind, l.coded, l.before)
	}
	return false
}

func (s *scanner) verdict() error {
	if s.found > 0 {
		return fmt.Errorf("%d lines hold a secret", s.found)
	}
	fmt.Fprintf(s.to, "no secret in %.1f MB of output and logs\n", float64(s.bytes)/1e6)
	return nil
}

func (s *scanner) file(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, n := bufio.NewReader(f), 0
	for {
		line, err := r.ReadBytes('\n')
		n++
		s.scan(fmt.Sprintf("%s:%d", name, n), line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// tests runs "go test" with these arguments.
func (s *scanner) tests(ctx context.Context, args []string) error {
	i := slices.Index(args, "test")
	if i < 0 {
		return errors.New("usage: leaks go test [arguments], or leaks -scan FILE")
	}
	args = slices.Insert(slices.Clone(args), i+1, "-json")
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = newReport(s).read(out)
	if e := cmd.Wait(); e != nil {
		return fmt.Errorf("the tests: %w", e)
	}
	return err
}
