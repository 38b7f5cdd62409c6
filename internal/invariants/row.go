package invariants

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Row is a row of the Grants table.
type Row struct {
	Grant               string // environment#principal
	State               string
	Generation, Rev     int64
	Attempt             string // that holds, or last held, the claim
	LastAttempt         string // that stored this generation
	StateAttempt        string // that caused the state
	ClaimUntil          int64  // Unix milliseconds; 0: free
	SealKey             string
	Sealed              []byte
	Fingerprint         string // of the pair's refresh token, in the ledger; empty without one
	Reason              string
	ReasonAt, ExpiresAt int64 // Unix seconds
	Holders             []string
	UnheldAt            int64 // Unix seconds; 0: there is a holder
	DueShard            string
	DueAt               int64 // Unix seconds
	Transitions         []Past
}

// Past is one entry of the list of transitions in a row.
type Past struct {
	State      string
	Generation int64
	Attempt    string
	At         int64 // Unix seconds
	Reason     string
}

// Key names the row.
func (r Row) Key() string { return r.Grant }

// Claimed reports whether an attempt holds the claim, which may have expired.
func (r Row) Claimed() bool { return r.ClaimUntil != 0 }

// revocation begins the name of an attempt that revokes.
const revocation = "revoke-"

// discard begins the name under which the ledger keeps a token that an authorization may not store.
const discard = "discard-"

// Revoking reports whether the attempt that holds the claim is a revocation.
func (r Row) Revoking() bool { return r.Claimed() && strings.HasPrefix(r.Attempt, revocation) }

// Usable reports whether a caller gets a token in this state.
func (r Row) Usable() bool { return r.State == "active" || r.State == "uncertain" }

func (r Row) user() bool { return strings.Contains(r.Grant, "#user#") }

// IsGrant reports whether an item of the Grants table is a grant. The breaker is in the
// same table.
func IsGrant(i Item) bool {
	key := i["grant"].S
	return key == nil || strings.Contains(*key, "#user#") || strings.HasSuffix(*key, "#app")
}

// RowOf reads a grant. An attribute of the wrong type is an error. An unknown
// attribute is ignored.
func RowOf(i Item) (Row, error) {
	d := decoder{item: i}
	r := Row{
		Grant: d.str("grant"), State: d.str("state"),
		Generation: d.num("generation"), Rev: d.num("rev"),
		Attempt: d.str("attempt"), LastAttempt: d.str("last_attempt"), StateAttempt: d.str("state_attempt"),
		ClaimUntil: d.num("claim_until_ms"), SealKey: d.str("seal_key"), Sealed: i["sealed"].B, Fingerprint: d.str("fingerprint"),
		Reason: d.str("reason"), ReasonAt: d.num("reason_at"), ExpiresAt: d.num("expires_at"),
		Holders: i["holders"].SS, UnheldAt: d.num("unheld_at"), DueShard: d.str("due_shard"), DueAt: d.num("due_at"),
	}
	for _, e := range i["transitions"].L {
		p := decoder{item: e.M}
		r.Transitions = append(r.Transitions, Past{
			p.str("state"), p.num("generation"), p.str("attempt"), p.num("at"), p.str("reason"),
		})
		if p.err != nil {
			d.err = fmt.Errorf("transitions: %w", p.err)
		}
	}
	if d.err != nil {
		return r, fmt.Errorf("row %s: %w", r.Key(), d.err)
	}
	return r, nil
}

type decoder struct {
	item Item
	err  error
}

func (d *decoder) str(name string) string {
	a, ok := d.item[name]
	if !ok {
		return ""
	}
	if a.S == nil {
		d.err = fmt.Errorf("%s is not a string", name)
		return ""
	}
	return *a.S
}

func (d *decoder) num(name string) int64 {
	a, ok := d.item[name]
	if !ok {
		return 0
	}
	if a.N != nil {
		if n, err := strconv.ParseInt(*a.N, 10, 64); err == nil {
			return n
		}
	}
	d.err = fmt.Errorf("%s is not a whole number", name)
	return 0
}

const (
	maxTransitions = 20
	// maxClaim is the longest claim: 20 s of work and 5 s of skew.
	maxClaim = 25 * time.Second
	// Skew is how far the clocks of two processes may differ.
	Skew = 5 * time.Second
)

// CheckRow returns what is wrong with one row. It compares the row's times with now
// and with each other, allowing for Skew. A zero now is not compared.
func CheckRow(r Row, now time.Time) []string {
	p := problems{prefix: "row " + r.Key() + ": "}
	p.check(r.Grant != "", "no key")
	p.check(r.Generation >= 1 && r.Rev >= 1 || !r.user(), "generation %d, rev %d", r.Generation, r.Rev)
	switch r.State {
	case "active":
		p.check(r.Reason == "" && r.ReasonAt == 0, "active with a reason against it")
	case "uncertain", "reauthorize", "revoked":
		p.check(r.Reason != "" && r.ReasonAt != 0, "%s without a reason and its time", r.State)
	default:
		p.add("state %q", r.State)
	}
	p.check(r.State != "uncertain" || r.StateAttempt != "", "uncertain by no attempt")
	p.check(r.State != "revoked" || r.Sealed == nil && r.SealKey == "", "revoked and still holds a pair")
	p.check(r.State != "revoked" || len(r.Holders) == 0, "revoked with a holder")
	p.check(r.State == "revoked" || !r.user() || len(r.Sealed) > 0 && r.SealKey != "", "%s without a pair", r.State)
	p.check(!r.user() || (len(r.Holders) == 0) == (r.UnheldAt != 0), "%d holders, and without one since %d", len(r.Holders), r.UnheldAt)
	p.check(r.due() == (r.DueShard != ""), "%s with %d holders, and in the index due: %t", r.State, len(r.Holders), r.DueShard != "")
	p.check((r.DueAt != 0) == (r.DueShard != ""), "due_at and due_shard do not go together")
	p.check(slices.IsSorted(r.Holders), "the holders are not sorted")
	if r.Claimed() {
		p.check(r.Attempt != "", "claimed by no attempt")
		p.check(r.State != "revoked" && (r.State != "reauthorize" || r.Revoking()), "%s and claimed", r.State)
		p.check(!r.Revoking() || len(r.Holders) == 0, "being revoked with a holder")
		p.check(now.IsZero() || r.ClaimUntil <= now.Add(maxClaim+Skew).UnixMilli(), "claimed for longer than a claim may last")
	}
	r.checkTransitions(&p)
	return p.all
}

// due reports whether something is to be done with the row: a schedule refreshes what is
// usable and held, and revokes what has no holder, and a user authorizes the rest again.
func (r Row) due() bool {
	return r.user() && r.State != "revoked" && (len(r.Holders) == 0 || r.Usable() || r.State == "reauthorize")
}

func (r Row) checkTransitions(p *problems) {
	n := len(r.Transitions)
	p.check((n >= 1 || !r.user()) && n <= maxTransitions, "%d transitions", n)
	for i, t := range r.Transitions {
		if i > 0 {
			before := r.Transitions[i-1]
			p.check(t.Generation >= before.Generation, "transition %d has an older generation than the one before", i)
			p.check(t.At+int64(Skew.Seconds()) >= before.At, "transition %d was earlier than the one before", i)
		}
		p.check(t.At != 0, "transition %d has no time", i)
	}
	if n > 0 {
		last := r.Transitions[n-1]
		p.check(last.State == r.State, "%s, but the last transition is to %s", r.State, last.State)
		p.check(last.Generation <= r.Generation, "the last transition's generation %d is above %d", last.Generation, r.Generation)
	}
}

// problems collects what is wrong.
type problems struct {
	prefix string
	all    []string
}

func (p *problems) add(format string, args ...any) {
	p.all = append(p.all, p.prefix+fmt.Sprintf(format, args...))
}

func (p *problems) check(ok bool, format string, args ...any) {
	if !ok {
		p.add(format, args...)
	}
}
