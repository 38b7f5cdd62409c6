package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxLine = 1 << 20 // bytes of a line that are searched together
	maxLogs = 20      // log lines that are shown of a failed test
)

// event is a line of go test -json; https://pkg.go.dev/cmd/test2json.
type event struct {
	Action, Package, Test, ImportPath, Output string
}

// name identifies a test, or a package if test is empty.
type name struct{ pkg, test string }

func (n name) String() string { return strings.TrimSpace(n.pkg + " " + n.test) }

// report searches the events of go test, and shows the failed tests and a line for each package.
type report struct {
	*scanner
	rest  map[name][]byte   // a line that has not ended: long lines arrive in parts
	lines map[name][]string // of tests that have not ended
}

func newReport(s *scanner) *report {
	return &report{scanner: s, rest: map[name][]byte{}, lines: map[name][]string{}}
}

func (r *report) read(out io.Reader) error {
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil && e.Action != "" {
			r.event(e)
		} else if len(line) > 0 { // a line that is not an event
			if r.scan("go test", line) {
				fmt.Fprintf(r.to, "%s", line)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) event(e event) {
	n := name{e.Package, e.Test}
	switch e.Action {
	case "output":
		r.output(n, e.Output)
	case "build-output":
		if r.scan("go build", []byte(e.Output)) {
			fmt.Fprint(r.to, e.Output)
		}
	case "pass", "skip", "fail":
		r.flush(n)
		r.end(n, e.Action == "fail")
	}
}

func (r *report) output(n name, part string) {
	r.rest[n] = append(r.rest[n], part...)
	if strings.HasSuffix(part, "\n") || len(r.rest[n]) > maxLine {
		r.flush(n)
	}
}

func (r *report) flush(n name) {
	line := r.rest[n]
	delete(r.rest, n)
	if len(line) > 0 && r.scan(n.String(), line) {
		r.lines[n] = append(r.lines[n], string(line))
	}
}

// end shows the output of a failed test, or go test's line about a package.
func (r *report) end(n name, failed bool) {
	lines := r.lines[n]
	delete(r.lines, n)
	switch {
	case failed:
		r.show(lines)
	case n.test == "":
		for _, line := range lines {
			if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "? ") || strings.Contains(line, "[no test files]") {
				fmt.Fprint(r.to, line)
			}
		}
	}
	if n.test != "" || !failed {
		return
	}
	for other, lines := range r.lines { // tests that a panic or the time limit cut short
		if other.pkg == n.pkg {
			r.show(lines)
			delete(r.lines, other)
		}
	}
}

// show prints a test's lines, but only the last ones of its log.
func (r *report) show(lines []string) {
	logged := 0
	for _, line := range lines {
		if isLog(line) {
			logged++
		}
	}
	for _, line := range lines {
		if isLog(line) {
			logged--
		}
		if strings.HasPrefix(line, "=== ") || isLog(line) && logged >= maxLogs {
			continue
		}
		fmt.Fprint(r.to, line)
	}
}

func isLog(line string) bool {
	return bytes.HasPrefix(bytes.TrimSpace([]byte(line)), []byte(`{"time":`))
}
