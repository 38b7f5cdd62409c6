package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// MaxKeys bounds a ring: each refresh enters its token in the ledger once for each key.
const MaxKeys = 8

// Ring is a ring as it was read, with changes that are not written yet.
type Ring struct {
	version string // of the secret
	changed time.Time
	fields  map[string]json.RawMessage
	added   map[string]int64 // Unix seconds, by key
	since   map[string]int64 // when it became the current one
}

// Key is what is known of a key, without the key.
type Key struct {
	ID      string
	Current bool
	// Added is when the key was added; zero: it is the first one. CurrentSince is when it became the current one; zero: it
	// is not, or has been from the beginning. Of a change that was made by hand it is when the secret last changed.
	Added, CurrentSince time.Time
}

// The fields of the secret that are no keys. Functions read past them.
const (
	currentField = "current"
	addedField   = "added"
	sinceField   = "current_since"
	epochsField  = "minimum_epochs"
)

func (r *Ring) readTimes() error {
	r.added, r.since = map[string]int64{}, map[string]int64{}
	for field, into := range map[string]*map[string]int64{addedField: &r.added, sinceField: &r.since} {
		if raw, ok := r.fields[field]; ok && json.Unmarshal(raw, into) != nil {
			return fmt.Errorf("%q in the secret is not an object of times in Unix seconds by key", field)
		}
	}
	return nil
}

// text returns the secret's new text.
func (r *Ring) text() (string, error) {
	fields := maps.Clone(r.fields)
	for field, times := range map[string]map[string]int64{addedField: r.added, sinceField: r.since} {
		if delete(fields, field); len(times) == 0 {
			continue
		}
		raw, err := json.Marshal(times)
		if err != nil {
			return "", err
		}
		fields[field] = raw
	}
	b, err := json.Marshal(fields)
	return string(b), err
}

// number returns the number of a key's id, such as k2.
func number(id string) (int, bool) {
	digits, ok := strings.CutPrefix(id, "k")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0
}

func (r *Ring) current() string {
	var id string
	_ = json.Unmarshal(r.fields[currentField], &id) // Parse has read it
	return id
}

// Keys returns the ring's keys, the oldest first.
func (r *Ring) Keys() []Key {
	var all []Key
	for id := range r.fields {
		if _, ok := number(id); ok {
			all = append(all, Key{ID: id, Current: id == r.current()})
		}
	}
	slices.SortFunc(all, func(a, b Key) int {
		x, _ := number(a.ID)
		y, _ := number(b.ID)
		return x - y
	})
	for i, k := range all {
		at, ok := r.added[k.ID]
		switch {
		case ok:
			all[i].Added = time.Unix(at, 0)
		case i > 0:
			all[i].Added = r.changed
		}
		at, ok = r.since[k.ID]
		switch {
		case !k.Current:
		case ok:
			all[i].CurrentSince = time.Unix(at, 0)
		case i > 0:
			all[i].CurrentSince = r.changed
		}
	}
	return all
}

// Current returns the key that is used for what is new.
func (r *Ring) Current() Key {
	all := r.Keys()
	return all[slices.IndexFunc(all, func(k Key) bool { return k.Current })]
}

// Has reports whether the ring has the key.
func (r *Ring) Has(id string) bool {
	_, key := number(id)
	_, ok := r.fields[id]
	return key && ok
}

// Target returns the id of the key that a rotation makes current, and whether it was added already: the newest key, or if
// that is current, the one after it.
func (r *Ring) Target() (id string, added bool) {
	all := r.Keys()
	newest := all[len(all)-1]
	if !newest.Current {
		return newest.ID, true
	}
	n, _ := number(newest.ID)
	return fmt.Sprintf("k%d", n+1), false
}

// Add adds a generated key, which is not the current one.
func (r *Ring) Add(id string, random procore.Random, now time.Time) error {
	if len(r.Keys()) >= MaxKeys {
		return fmt.Errorf("the ring has %d keys already: retire one first", MaxKeys)
	}
	key, err := json.Marshal(random.Text() + random.Text() + random.Text()) // 78 characters
	if err != nil {
		return err
	}
	r.fields[id], r.added[id] = key, now.Unix()
	return nil
}

// Promote makes a key the current one. It must have been in the ring for Settled, so that each function can open what
// others make with it.
func (r *Ring) Promote(id string, now time.Time) error {
	i := slices.IndexFunc(r.Keys(), func(k Key) bool { return k.ID == id })
	if i < 0 {
		return fmt.Errorf("the ring has no key %s", id)
	}
	if ready := r.Keys()[i].Added.Add(Settled); now.Before(ready) {
		return fmt.Errorf("functions may not know key %s before %s", id, ready.UTC().Format(time.RFC3339))
	}
	raw, err := json.Marshal(id)
	if err != nil {
		return err
	}
	r.fields[currentField], r.since[id] = raw, now.Unix()
	return nil
}

// Remove removes a key that is not the current one. Whether anything still needs it is the caller's to know.
func (r *Ring) Remove(id string) error {
	switch {
	case !r.Has(id):
		return fmt.Errorf("the ring has no key %.20q", id)
	case id == r.current():
		return errors.New("it is the current key")
	}
	delete(r.fields, id)
	delete(r.added, id)
	delete(r.since, id)
	return nil
}

// RaiseEpoch retires the webhook credential of one company, and returns the epoch of its next one.
func (r *Ring) RaiseEpoch(companyID int64) (int64, error) {
	epochs := map[string]int64{}
	if raw, ok := r.fields[epochsField]; ok {
		if err := json.Unmarshal(raw, &epochs); err != nil {
			return 0, fmt.Errorf("%q in the secret is not an object of numbers by company id", epochsField)
		}
	}
	company := strconv.FormatInt(companyID, 10)
	epochs[company]++
	raw, err := json.Marshal(epochs)
	r.fields[epochsField] = raw
	return epochs[company], err
}
