package tokens

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/platform/dynamo"
)

// Shards is the number of partitions of the sparse index, for each environment and each
// kind of work.
const Shards = 16

// The partitions of the sparse index. It holds only the rows that a schedule or a person may
// act on, and each kind apart, so that a run never reads past the others.
const (
	inUse  = ""       // to be refreshed before the access token expires
	atTime = "later-" // idle or uncertain: at its own time
	unheld = "unheld-"
	person = "person-" // no schedule can do anything: the user has to authorize again
)

func (s *Store) partition(kind string, shard int) string {
	return s.Environment.Name + "#" + kind + strconv.Itoa(shard)
}

func (p Principal) shard() int {
	h := fnv.New32a()
	fmt.Fprint(h, string(p))
	return int(h.Sum32() % Shards)
}

// rowKey returns the key of a row of the Grants table.
func (s *Store) rowKey(name string) dynamo.Item {
	return dynamo.Item{"grant": dynamo.Text(s.Environment.Name + "#" + name)}
}

// fields lists the row's attributes without its key.
func (g *Grant) fields(f *dynamo.Fields) {
	f.Text("client", &g.client)
	f.Text("state", (*string)(&g.State))
	f.Number("generation", &g.Generation)
	f.Number("rev", &g.Rev)
	f.Text("write", &g.write)
	f.Bytes("sealed", &g.pair.Ciphertext)
	f.Text("seal_key", &g.pair.KeyID)
	f.Text("fingerprint", &g.fingerprint)
	f.Seconds("expires_at", &g.Expiry)
	f.Seconds("issued_at", &g.IssuedAt)
	f.Seconds("refreshed_at", &g.RefreshedAt)
	f.Seconds("last_used_at", &g.LastUsed)
	f.Text("redirect_uri", &g.RedirectURI)
	f.Texts("holders", &g.Holders)
	f.Seconds("unheld_at", &g.UnheldAt)
	f.Text("reason", &g.Reason)
	f.Seconds("reason_at", &g.ReasonAt)
	f.Text("request_id", &g.RequestID)
	f.Text("attempt", &g.attempt)
	f.Millis("claim_until_ms", &g.claimUntil)
	f.Text("last_attempt", &g.lastAttempt)
	f.Text("state_attempt", &g.stateAttempt)
	dynamo.Maps(f, "transitions", &g.Transitions, (*Transition).fields)
}

func (t *Transition) fields(f *dynamo.Fields) {
	f.Text("state", (*string)(&t.State))
	f.Number("generation", &t.Generation)
	f.Text("attempt", &t.Attempt)
	f.Seconds("at", &t.At)
	f.Text("reason", &t.Reason)
}

// attributes returns the row without its key.
func (s *Store) attributes(g Grant) dynamo.Item {
	a := dynamo.Encode(g.fields)
	a["due_shard"], a["due_at"] = nil, nil
	if kind, at, ok := g.due(); ok {
		a["due_shard"], a["due_at"] = dynamo.Text(s.partition(kind, g.Principal.shard())), dynamo.Seconds(at)
	}
	return a
}

// due returns what is to be done with the grant, and when, or for a person since when.
func (g Grant) due() (kind string, at time.Time, ok bool) {
	switch {
	case g.Principal == App || g.State == Revoked:
		return "", time.Time{}, false
	case len(g.Holders) == 0:
		return unheld, g.UnheldAt.Add(UnheldFor), true
	case g.State == Uncertain:
		at = g.ReasonAt.Add(uncertainFor)
		if g.Expiry.After(at) {
			at = g.Expiry
		}
		return atTime, at, true
	case !g.Usable():
		return person, g.ReasonAt, true
	case g.idle():
		return atTime, g.Expiry.Add(IdleEvery), true
	}
	return inUse, g.Expiry, true
}

// readPrincipal reads the key of a row of the table or its index.
func (s *Store) readPrincipal(p *Principal, item dynamo.Item) error {
	var key string
	err := dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Require("grant")
		f.Text("grant", &key)
	})
	name, ok := strings.CutPrefix(key, s.Environment.Name+"#")
	if err == nil && !ok {
		err = fmt.Errorf("it is not of environment %q", s.Environment.Name)
	}
	if err != nil {
		return fmt.Errorf("tokens: row of grant %q: %w", key, err)
	}
	*p = Principal(name)
	return nil
}

// read reads a row.
func (s *Store) read(g *Grant, item dynamo.Item) error {
	if err := s.readPrincipal(&g.Principal, item); err != nil {
		return err
	}
	if err := dynamo.Decode(item, g.fields); err != nil {
		return fmt.Errorf("tokens: row of grant %s: %w", g.Principal, err)
	}
	return nil
}
