package lambdatest

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
)

const (
	maxLine  = 256 << 10 // bytes; CloudWatch Logs cuts there too
	maxTail  = 20        // lines
	tailLine = 2 << 10   // bytes of a line in a tail
	cutMark  = " ... (cut)"
)

// lines writes complete lines to another writer. One goroutine uses it at a time.
type lines struct {
	to   io.Writer
	tail *tail

	rest []byte // a line that has not ended
	cut  bool   // rest is full, the rest of the line is dropped
}

func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, after, ended := bytes.Cut(b, []byte("\n"))
		l.append(line)
		if !ended {
			return n, nil
		}
		l.emit()
		b = after
	}
}

func (l *lines) append(b []byte) {
	if room := maxLine - len(l.rest); len(b) > room {
		b, l.cut = b[:room], true
	}
	l.rest = append(l.rest, b...)
}

func (l *lines) emit() {
	line := l.rest
	if l.cut {
		line = append(line[:maxLine-len(cutMark)], cutMark...)
	}
	l.tail.add(string(line[:min(len(line), tailLine)]))
	l.to.Write(append(line, '\n')) // the process continues even if its log cannot be written
	l.rest, l.cut = nil, false
}

// flush writes the last line if it has no line break.
func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.emit()
	}
}

// tail keeps the last lines of a process.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == maxTail {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, line)
}

func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}
