package tokens

import (
	"fmt"
	"hash/fnv"
	"strconv"

	"procore-connect/internal/platform/dynamo"
)

// idlePrefix begins the partitions of connections that no one uses, so that a run over
// the due ones does not read past them.
const idlePrefix = "idle-"

// Shards is the number of partitions of each sparse index.
const Shards = 16

// shard returns a company's partition in the sparse indexes.
func shard(companyID int64) string {
	h := fnv.New32a()
	fmt.Fprint(h, companyID)
	return strconv.Itoa(int(h.Sum32() % Shards))
}

// primaryKey returns the key of the row.
func (k Key) primaryKey() dynamo.Item {
	return dynamo.Item{
		"company_id": dynamo.ID(k.CompanyID),
		"principal":  dynamo.Text(string(k.Principal)),
	}
}

// fields lists the row's attributes without its key.
func (c *Connection) fields(f *dynamo.Fields) {
	f.Text("state", (*string)(&c.State))
	f.Number("generation", &c.Generation)
	f.Number("rev", &c.Rev)
	f.Text("write", &c.write)
	f.Seconds("expires_at", &c.Expiry)
	f.Text("environment", &c.Environment)
	f.Text("redirect_uri", &c.RedirectURI)
	f.Text("company_name", &c.CompanyName)
	f.Text("user_name", &c.UserName)
	f.Seconds("connected_at", &c.ConnectedAt)
	f.Seconds("refreshed_at", &c.RefreshedAt)
	f.Seconds("last_used_at", &c.LastUsed)
	f.Seconds("seen_at", &c.SeenAt)
	f.Seconds("paused_until", &c.PausedUntil)
	f.Duration("pause_s", &c.pause)
	f.Text("reason", &c.Reason)
	f.Seconds("reason_at", &c.ReasonAt)
	f.Text("request_id", &c.RequestID)
	f.Text("webhooks", (*string)(&c.Webhooks))
	f.Seconds("check_at", &c.CheckAt)
	f.Bytes("sealed", &c.pair.Ciphertext)
	f.Text("seal_key", &c.pair.KeyID)
	f.Text("attempt", &c.attempt)
	f.Millis("claim_until_ms", &c.claimUntil)
	f.Text("last_attempt", &c.lastAttempt)
	f.Text("state_attempt", &c.stateAttempt)
	dynamo.Maps(f, "transitions", &c.Transitions, (*Transition).fields)
}

func (t *Transition) fields(f *dynamo.Fields) {
	f.Text("state", (*string)(&t.State))
	f.Number("generation", &t.Generation)
	f.Text("attempt", &t.Attempt)
	f.Seconds("at", &t.At)
	f.Text("reason", &t.Reason)
}

// attributes returns the row without its key.
func (c Connection) attributes() dynamo.Item {
	a := dynamo.Encode(c.fields)
	a["due_shard"], a["check_shard"] = nil, nil
	// The sparse indexes hold only the rows that a schedule may act on.
	switch {
	case !c.usable():
	case c.idle():
		a["due_shard"] = dynamo.Text(idlePrefix + shard(c.CompanyID))
	default:
		a["due_shard"] = dynamo.Text(shard(c.CompanyID))
	}
	if !c.CheckAt.IsZero() {
		a["check_shard"] = dynamo.Text(shard(c.CompanyID))
	}
	return a
}

// read reads a row's key.
func (k *Key) read(item dynamo.Item) error {
	var company string
	err := dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Require("company_id", "principal")
		f.Text("company_id", &company)
		f.Text("principal", (*string)(&k.Principal))
		f.ID("company_id", &k.CompanyID)
	})
	if err != nil {
		return fmt.Errorf("tokens: row of company %q, %q: %w", company, k.Principal, err)
	}
	return nil
}

// read reads a row.
func (c *Connection) read(item dynamo.Item) error {
	if err := c.Key.read(item); err != nil {
		return err
	}
	if err := dynamo.Decode(item, c.fields); err != nil {
		return fmt.Errorf("tokens: row of %s: %w", c.Key, err)
	}
	return nil
}
