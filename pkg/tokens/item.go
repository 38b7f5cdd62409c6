package tokens

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
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
func (k Key) primaryKey() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"company_id": str(strconv.FormatInt(k.CompanyID, 10)),
		"principal":  str(string(k.Principal)),
	}
}

// attributes are all others of the row; nil means that the row has it not.
// Times are Unix seconds, or milliseconds where the name says so.
func (c Connection) attributes() map[string]types.AttributeValue {
	a := map[string]types.AttributeValue{
		"state":          str(string(c.State)),
		"generation":     num(c.Generation),
		"rev":            num(c.Rev),
		"write":          str(c.write),
		"expires_at":     seconds(c.Expiry),
		"redirect_uri":   str(c.RedirectURI),
		"company_name":   str(c.CompanyName),
		"user_name":      str(c.UserName),
		"connected_at":   seconds(c.ConnectedAt),
		"refreshed_at":   seconds(c.RefreshedAt),
		"last_used_at":   seconds(c.LastUsed),
		"seen_at":        seconds(c.SeenAt),
		"paused_until":   seconds(c.PausedUntil),
		"pause_s":        num(int64(c.pause / time.Second)),
		"reason":         str(c.Reason),
		"reason_at":      seconds(c.ReasonAt),
		"request_id":     str(c.RequestID),
		"webhooks":       str(string(c.Webhooks)),
		"check_at":       seconds(c.CheckAt),
		"sealed":         nil,
		"seal_key":       str(c.pair.KeyID),
		"attempt":        str(c.attempt),
		"claim_until_ms": millis(c.claimUntil),
		"last_attempt":   str(c.lastAttempt),
		"state_attempt":  str(c.stateAttempt),
		"due_shard":      nil,
		"check_shard":    nil,
		"transitions":    transitionList(c.Transitions),
	}
	if c.pair.Box != nil {
		a["sealed"] = &types.AttributeValueMemberB{Value: c.pair.Box}
	}
	// The sparse indexes hold just the rows that a schedule may act on.
	switch {
	case !c.usable():
	case c.idle():
		a["due_shard"] = str(idlePrefix + shard(c.CompanyID))
	default:
		a["due_shard"] = str(shard(c.CompanyID))
	}
	if !c.CheckAt.IsZero() {
		a["check_shard"] = str(shard(c.CompanyID))
	}
	return a
}

// keyOf reads a row's key.
func keyOf(item map[string]types.AttributeValue) (Key, error) {
	r := reader{item: item}
	k := Key{CompanyID: r.id("company_id"), Principal: Principal(r.str("principal"))}
	if r.err != nil {
		return k, fmt.Errorf("tokens: row of company %q, %q: %w", r.str("company_id"), r.str("principal"), r.err)
	}
	return k, nil
}

// connectionOf reads a row.
func connectionOf(item map[string]types.AttributeValue) (Connection, error) {
	key, err := keyOf(item)
	if err != nil {
		return Connection{}, err
	}
	r := reader{item: item}
	c := Connection{
		Key:         key,
		State:       State(r.str("state")),
		Generation:  r.num("generation"),
		Rev:         r.num("rev"),
		Expiry:      r.seconds("expires_at"),
		RedirectURI: r.str("redirect_uri"),
		CompanyName: r.str("company_name"),
		UserName:    r.str("user_name"),
		ConnectedAt: r.seconds("connected_at"),
		RefreshedAt: r.seconds("refreshed_at"),
		LastUsed:    r.seconds("last_used_at"),
		SeenAt:      r.seconds("seen_at"),
		PausedUntil: r.seconds("paused_until"),
		Reason:      r.str("reason"),
		ReasonAt:    r.seconds("reason_at"),
		RequestID:   r.str("request_id"),
		Webhooks:    Webhooks(r.str("webhooks")),
		CheckAt:     r.seconds("check_at"),
		Transitions: r.transitions("transitions"),

		write:        r.str("write"),
		pair:         Sealed{KeyID: r.str("seal_key"), Box: r.bytes("sealed")},
		attempt:      r.str("attempt"),
		claimUntil:   r.millis("claim_until_ms"),
		lastAttempt:  r.str("last_attempt"),
		stateAttempt: r.str("state_attempt"),
		pause:        time.Duration(r.num("pause_s")) * time.Second,
	}
	if r.err != nil {
		return Connection{}, fmt.Errorf("tokens: row of %s: %w", key, r.err)
	}
	return c, nil
}

func transitionList(ts []Transition) types.AttributeValue {
	if len(ts) == 0 {
		return nil
	}
	list := make([]types.AttributeValue, len(ts))
	for i, t := range ts {
		m := map[string]types.AttributeValue{
			"state": str(string(t.State)), "generation": num(t.Generation), "at": seconds(t.At),
		}
		if t.Attempt != "" {
			m["attempt"] = str(t.Attempt)
		}
		if t.Reason != "" {
			m["reason"] = str(t.Reason)
		}
		list[i] = &types.AttributeValueMemberM{Value: m}
	}
	return &types.AttributeValueMemberL{Value: list}
}

func (r *reader) transitions(name string) []Transition {
	l, ok := r.item[name].(*types.AttributeValueMemberL)
	if !ok {
		return nil
	}
	var ts []Transition
	for _, v := range l.Value {
		m, ok := v.(*types.AttributeValueMemberM)
		if !ok {
			r.fail(name)
			return nil
		}
		e := reader{item: m.Value}
		ts = append(ts, Transition{
			State:      State(e.str("state")),
			Generation: e.num("generation"),
			Attempt:    e.str("attempt"),
			At:         e.seconds("at"),
			Reason:     e.str("reason"),
		})
		if e.err != nil {
			r.fail(name)
		}
	}
	return ts
}

// reader takes typed attributes from an item. An absent one is the zero value;
// one of another type is an error, kept until the end.
type reader struct {
	item map[string]types.AttributeValue
	err  error
}

func (r *reader) fail(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("attribute %q is not readable", name)
	}
}

func (r *reader) str(name string) string {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return v.Value
	default:
		r.fail(name)
	}
	return ""
}

func (r *reader) num(name string) int64 {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			r.fail(name)
		}
		return n
	default:
		r.fail(name)
	}
	return 0
}

func (r *reader) id(name string) int64 {
	n, err := strconv.ParseInt(r.str(name), 10, 64)
	if err != nil {
		r.fail(name)
	}
	return n
}

func (r *reader) bytes(name string) []byte {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberB:
		return v.Value
	default:
		r.fail(name)
	}
	return nil
}

func (r *reader) seconds(name string) time.Time {
	if n := r.num(name); n != 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

func (r *reader) millis(name string) time.Time {
	if n := r.num(name); n != 0 {
		return time.UnixMilli(n)
	}
	return time.Time{}
}

// The makers of attributes give nil for the zero value: it is not stored.

func str(s string) types.AttributeValue {
	if s == "" {
		return nil
	}
	return &types.AttributeValueMemberS{Value: s}
}

func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func seconds(t time.Time) types.AttributeValue {
	if t.IsZero() {
		return nil
	}
	return num(t.Unix())
}

func millis(t time.Time) types.AttributeValue {
	if t.IsZero() {
		return nil
	}
	return num(t.UnixMilli())
}
