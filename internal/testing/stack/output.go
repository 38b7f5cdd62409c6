package stack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// output writes whole lines to the two streams of the stack.
type output struct {
	mu             sync.Mutex
	stdout, stderr io.Writer
}

func newOutput(stdout, stderr io.Writer) *output {
	return &output{stdout: cmp.Or[io.Writer](stdout, io.Discard), stderr: cmp.Or[io.Writer](stderr, io.Discard)}
}

// say writes a line of the stack's own.
func (o *output) say(text string) { o.prefixed("local").Write([]byte(text + "\n")) }

// prefixed gives a writer that puts a name before every line. Each Write must
// be whole lines.
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

// objects gives a writer that passes lines which are JSON objects to standard
// output as they are, and the others on as prefixed does.
func (o *output) objects(name string) io.Writer {
	others := o.prefixed(name)
	return writer(func(b []byte) {
		if b[0] != '{' || !json.Valid(b) {
			others.Write(b)
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.stdout.Write(b)
	})
}

type writer func([]byte)

// Write passes on what is not empty. It never fails: nothing should end
// because nobody reads its log.
func (w writer) Write(b []byte) (int, error) {
	if len(b) > 0 {
		w(b)
	}
	return len(b), nil
}
