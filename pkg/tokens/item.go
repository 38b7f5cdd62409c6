package tokens

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
)

// idlePrefix begins the partitions of connections that nobody uses, so that a
// run over what is due does not read past them.
const idlePrefix = "idle-"

// Shards is how many partitions the sparse indexes spread over.
const Shards = 16

// shard is the partition of a company in the sparse indexes.
func shard(companyID int64) string {
	h := fnv.New32a()
	fmt.Fprint(h, companyID)
	return strconv.Itoa(int(h.Sum32() % Shards))
}

// primaryKey is the key as the table holds it.
func (k Key) primaryKey() dynamo.Item {
	return dynamo.Item{
		"company_id": dynamo.ID(k.CompanyID),
		"principal":  dynamo.Text(string(k.Principal)),
	}
}

// attributes are all others of the row; nil means that the row has it not.
// Times are Unix seconds, or milliseconds where the name says so.
func (c Connection) attributes() dynamo.Item {
	a := dynamo.Item{
		"state":          dynamo.Text(string(c.State)),
		"generation":     dynamo.Number(c.Generation),
		"expires_at":     dynamo.Seconds(c.Expiry),
		"environment":    dynamo.Text(c.Environment),
		"redirect_uri":   dynamo.Text(c.RedirectURI),
		"company_name":   dynamo.Text(c.CompanyName),
		"user_name":      dynamo.Text(c.UserName),
		"connected_at":   dynamo.Seconds(c.ConnectedAt),
		"refreshed_at":   dynamo.Seconds(c.RefreshedAt),
		"last_used_at":   dynamo.Seconds(c.LastUsed),
		"seen_at":        dynamo.Seconds(c.SeenAt),
		"paused_until":   dynamo.Seconds(c.PausedUntil),
		"pause_s":        dynamo.NonZero(int64(c.pause / time.Second)),
		"reason":         dynamo.Text(c.Reason),
		"reason_at":      dynamo.Seconds(c.ReasonAt),
		"request_id":     dynamo.Text(c.RequestID),
		"webhooks":       dynamo.Text(string(c.Webhooks)),
		"check_at":       dynamo.Seconds(c.CheckAt),
		"sealed":         dynamo.Bytes(c.pair.Box),
		"seal_key":       dynamo.Text(c.pair.KeyID),
		"attempt":        dynamo.Text(c.attempt),
		"claim_until_ms": dynamo.Millis(c.claimUntil),
		"last_attempt":   dynamo.Text(c.lastAttempt),
		"state_attempt":  dynamo.Text(c.stateAttempt),
		"due_shard":      nil,
		"check_shard":    nil,
		"transitions":    dynamo.List(c.Transitions, transitionValue),
	}
	// The sparse indexes hold just the rows that a schedule may act on.
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

// keyOf reads a row's key.
func keyOf(item dynamo.Item) (Key, error) {
	r := dynamo.Read(item)
	r.Require("company_id", "principal")
	k := Key{CompanyID: r.ID("company_id"), Principal: Principal(r.Text("principal"))}
	if err := r.Err(); err != nil {
		return k, fmt.Errorf("tokens: row of company %q, %q: %w", r.Text("company_id"), r.Text("principal"), err)
	}
	return k, nil
}

// connectionOf reads a row.
func connectionOf(item dynamo.Item) (Connection, error) {
	key, err := keyOf(item)
	if err != nil {
		return Connection{}, err
	}
	r := dynamo.Read(item)
	c := Connection{
		Key:         key,
		State:       State(r.Text("state")),
		Generation:  r.Number("generation"),
		Rev:         r.Number("rev"),
		Expiry:      r.Seconds("expires_at"),
		Environment: r.Text("environment"),
		RedirectURI: r.Text("redirect_uri"),
		CompanyName: r.Text("company_name"),
		UserName:    r.Text("user_name"),
		ConnectedAt: r.Seconds("connected_at"),
		RefreshedAt: r.Seconds("refreshed_at"),
		LastUsed:    r.Seconds("last_used_at"),
		SeenAt:      r.Seconds("seen_at"),
		PausedUntil: r.Seconds("paused_until"),
		Reason:      r.Text("reason"),
		ReasonAt:    r.Seconds("reason_at"),
		RequestID:   r.Text("request_id"),
		Webhooks:    Webhooks(r.Text("webhooks")),
		CheckAt:     r.Seconds("check_at"),
		Transitions: dynamo.Maps(r, "transitions", transitionOf),

		write:        r.Text("write"),
		pair:         Sealed{KeyID: r.Text("seal_key"), Box: r.Bytes("sealed")},
		attempt:      r.Text("attempt"),
		claimUntil:   r.Millis("claim_until_ms"),
		lastAttempt:  r.Text("last_attempt"),
		stateAttempt: r.Text("state_attempt"),
		pause:        time.Duration(r.Number("pause_s")) * time.Second,
	}
	if err := r.Err(); err != nil {
		return Connection{}, fmt.Errorf("tokens: row of %s: %w", key, err)
	}
	return c, nil
}

func transitionValue(t Transition) types.AttributeValue {
	return dynamo.Map(dynamo.Item{
		"state": dynamo.Text(string(t.State)), "generation": dynamo.Number(t.Generation), "attempt": dynamo.Text(t.Attempt),
		"at": dynamo.Seconds(t.At), "reason": dynamo.Text(t.Reason),
	})
}

func transitionOf(r *dynamo.Reader) Transition {
	return Transition{
		State: State(r.Text("state")), Generation: r.Number("generation"), Attempt: r.Text("attempt"),
		At: r.Seconds("at"), Reason: r.Text("reason"),
	}
}
