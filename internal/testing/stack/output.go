package stack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// output writes complete lines to the two streams of the stack.
type output struct {
	mu             sync.Mutex
	stdout, stderr io.Writer
	keep           func(function string, line []byte) // puts a function's line into its log; nil: it is not kept
}

func newOutput(stdout, stderr io.Writer) *output {
	return &output{stdout: cmp.Or[io.Writer](stdout, io.Discard), stderr: cmp.Or[io.Writer](stderr, io.Discard)}
}

// report writes a line about the stack itself.
func (o *output) report(text string) { o.prefixed("local").Write([]byte(text + "\n")) }

// prefixed returns a writer that puts a name before every line. Each Write must be
// complete lines.
func (o *output) prefixed(name string) io.Writer {
	return writer(func(b []byte) {
		var out bytes.Buffer
		for line := range bytes.Lines(b) {
			fmt.Fprintf(&out, "%-16s | %s\n", name, bytes.TrimRight(line, "\r\n"))
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.stderr.Write(out.Bytes())
	})
}

// objects returns a writer that copies lines with JSON objects to standard output, with the function's name in them, and
// writes every other line as prefixed does.
func (o *output) objects(function string) io.Writer {
	others := o.prefixed(function)
	return writer(func(b []byte) {
		if o.keep != nil {
			for line := range bytes.Lines(b) {
				o.keep(function, bytes.TrimRight(line, "\r\n"))
			}
		}
		if b[0] != '{' || !json.Valid(b) {
			others.Write(b)
			return
		}
		line := fmt.Appendf(nil, "{%q:%q", "function", function)
		rest := bytes.TrimLeft(b[1:], " ")
		if rest[0] != '}' {
			line = append(line, ',')
		}
		line = append(line, rest...)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.stdout.Write(line)
	})
}

type writer func([]byte)

// Write ignores an empty line. It never fails, because a lost log line must not stop
// the program that wrote it.
func (w writer) Write(b []byte) (int, error) {
	if len(b) > 0 {
		w(b)
	}
	return len(b), nil
}
