package streamtest

import (
	"encoding/json"
	"fmt"
)

// Storage keeps the position of one mapping, as a part of package journal does.
type Storage interface {
	// Load returns what was appended before.
	Load() map[string][]byte
	// Append adds changes, all of them or none. If they are lost with what came after them, the mapping passes the same
	// records again, as Lambda may.
	Append(changes map[string][]byte)
}

const positionKey = "position"

// position is how far a mapping has read a shard: up to a sequence number, or to the end
// if it is closed.
type position struct {
	Shard, Sequence string
	Closed          bool
}

func (p position) save(s Storage) {
	if s != nil {
		text, _ := json.Marshal(p) // texts always marshal
		s.Append(map[string][]byte{positionKey: text})
	}
}

// load reads the position. It is zero if none was saved.
func load(s Storage) (p position, err error) {
	if s == nil {
		return p, nil
	}
	if text, ok := s.Load()[positionKey]; ok {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return position{}, fmt.Errorf("stream: the position cannot be read: %w", err)
	}
	return p, nil
}
