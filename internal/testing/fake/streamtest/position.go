package streamtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// position is how far a mapping has read a shard: up to a sequence number, or to the end
// if it is closed.
type position struct {
	shard, sequence string
	closed          bool
}

// save replaces the file in one step, so that a killed process leaves a complete one.
func (p position) save(file string) error {
	if file == "" {
		return nil
	}
	text := fmt.Sprintf("%s %s %t\n", strconv.Quote(p.shard), strconv.Quote(p.sequence), p.closed)
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		return fmt.Errorf("stream: the position cannot be saved: %w", err)
	}
	return os.Rename(file+".new", file)
}

// load reads the position. It is zero if the file does not exist.
func load(file string) (p position, err error) {
	if file == "" {
		return p, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		_, err = fmt.Fscanf(strings.NewReader(string(text)), "%q %q %t\n", &p.shard, &p.sequence, &p.closed)
	}
	if err != nil {
		return position{}, fmt.Errorf("stream: the position cannot be read: %w", err)
	}
	return p, nil
}
