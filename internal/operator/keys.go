package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/operator/keyring"
	"procore-connect/internal/webhook/credential"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/link"
	"procore-connect/pkg/tokens"
)

// RingName names one of the rings.
type RingName string

// The rings.
const (
	SealRing    RingName = "seal"    // seals pairs, and names spent refresh tokens in the ledger
	WebhookRing RingName = "webhook" // makes the credentials of the hooks
	LinkRing    RingName = "link"    // signs the links of a host application; only with return addresses
)

// Rings are all that a stack may have.
func Rings() []RingName { return []RingName{SealRing, WebhookRing, LinkRing} }

// RingKey is a key, without the key, and what still needs it.
type RingKey struct {
	Ring         RingName  `json:"ring"`
	ID           string    `json:"key"`
	Current      bool      `json:"current"`
	New          bool      `json:"new,omitempty"` // added, and not current yet
	Added        time.Time `json:"added,omitzero"`
	CurrentSince time.Time `json:"current_since,omitzero"`
	Uses         []KeyUse  `json:"uses"` // that are still there, or may be
	// Retire reports whether the key may be removed now, and From when; zero: not before what counts has ended.
	Retire bool      `json:"retire"`
	From   time.Time `json:"retire_from,omitzero"`
}

// KeyUse is something that needs a key.
type KeyUse struct {
	What  string    `json:"what"`
	Count int       `json:"count,omitempty"`
	Until time.Time `json:"until,omitzero"` // then it has ended; zero: that depends on what is counted
	Do    string    `json:"do,omitempty"`   // what ends it sooner
}

// repeats is for how long Procore repeats a delivery, with an hour to spare.
//
// https://developers.procore.com/documentation/webhooks
const repeats = 13 * time.Hour

// cookies is for how long a browser's flow may last.
const cookies = session.StateLifetime + 2*session.ChoiceLifetime

// backups is for how long backups may hold pairs that a former key sealed: a grant keeps its pair until it is refreshed, an
// idle one for tokens.IdleEvery, and DynamoDB keeps a backup of it for 35 days.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
const backups = tokens.IdleEvery + 35*24*time.Hour

// secret returns the secret of a ring.
func (o *Operator) secret(ring RingName) *keyring.Secret {
	s := &keyring.Secret{Client: o.secrets, Clock: o.clock, Random: o.Connections.Tokens.Random}
	switch ring {
	case SealRing:
		s.ID, s.Parse = o.sealSecret, func(text string) error { _, err := keys.Parse(text); return err }
	case WebhookRing:
		s.ID, s.Parse = o.webhookSecret, func(text string) error { _, err := credential.Parse(text); return err }
	case LinkRing:
		s.ID, s.Parse = o.linkSecret, func(text string) error { _, err := link.ParseKeys(text); return err }
	}
	return s
}

// read reads a ring. Without signed links the error is [ErrNoLinks] for theirs.
func (o *Operator) read(ctx context.Context, name RingName) (*keyring.Secret, *keyring.Ring, error) {
	s := o.secret(name)
	if s.ID == "" {
		return nil, nil, ErrNoLinks
	}
	ring, err := s.Read(ctx)
	return s, ring, err
}

// Keys reads all rings, and counts what needs each key. It reads two tables from beginning to end.
func (o *Operator) Keys(ctx context.Context) ([]RingKey, error) {
	return o.keys(ctx, func(name RingName, ring *keyring.Ring, list []RingKey) error {
		uses, err := o.uses(ctx, name, ring)
		for i, k := range list {
			k.Uses = uses[k.ID]
			list[i] = o.judged(k)
		}
		return err
	})
}

// RingKeys reads all rings, and counts nothing: so it is not known of an old key whether it may be retired.
func (o *Operator) RingKeys(ctx context.Context) ([]RingKey, error) {
	return o.keys(ctx, func(RingName, *keyring.Ring, []RingKey) error { return nil })
}

// keys reads all rings, and calls judge with the keys of each.
func (o *Operator) keys(ctx context.Context, judge func(RingName, *keyring.Ring, []RingKey) error) ([]RingKey, error) {
	var all []RingKey
	for _, name := range Rings() {
		_, ring, err := o.read(ctx, name)
		if errors.Is(err, ErrNoLinks) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var list []RingKey
		target, added := ring.Target()
		for _, k := range ring.Keys() {
			list = append(list, RingKey{Ring: name, ID: k.ID, Current: k.Current, New: added && k.ID == target, Added: k.Added, CurrentSince: k.CurrentSince})
		}
		if err := judge(name, ring, list); err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// judged decides whether a key may be retired. What has ended is no use any longer.
func (o *Operator) judged(k RingKey) RingKey {
	now := o.clock.Now()
	k.Uses = slices.DeleteFunc(k.Uses, func(u KeyUse) bool { return u.Count == 0 && !now.Before(u.Until) })
	counted := false
	for _, u := range k.Uses {
		counted = counted || u.Count > 0
		if u.Until.After(k.From) {
			k.From = u.Until
		}
	}
	if k.Retire = !k.Current && len(k.Uses) == 0; counted || k.Current {
		k.From = time.Time{}
	}
	return k
}

// uses returns what needs each key of a ring. The current key is needed for all that is new.
func (o *Operator) uses(ctx context.Context, name RingName, ring *keyring.Ring) (map[string][]KeyUse, error) {
	switch name {
	case WebhookRing:
		return o.webhookUses(ctx, ring)
	case LinkRing:
		return linkUses(ring), nil
	}
	return o.sealUses(ctx, ring)
}

// linkUses are the links that a host application signed before it knew the current key.
func linkUses(ring *keyring.Ring) map[string][]KeyUse {
	uses := map[string][]KeyUse{}
	for _, k := range ring.Keys() {
		if !k.Current {
			uses[k.ID] = []KeyUse{{What: "links that were signed with it", Until: ring.Current().CurrentSince.Add(keyring.Settled + link.MaxLifetime)}}
		}
	}
	return uses
}

// sealUses counts the grants that each key seals.
//
// A refresh enters its token in the ledger under each key of the ring. So the ledger knows a token that was sent before
// another key was there by the old key alone, and without that key a row from a backup would send it again.
func (o *Operator) sealUses(ctx context.Context, ring *keyring.Ring) (map[string][]KeyUse, error) {
	rows, err := all(ctx, o.Connections.Tokens.Upkeep().All(ctx))
	if err != nil {
		return nil, err
	}
	switch app, err := o.Connections.Tokens.Grant(ctx, tokens.App); {
	case err == nil:
		rows = append(rows, app)
	case !errors.Is(err, tokens.ErrNotFound):
		return nil, err
	}
	waiting, err := o.rescueWaiting(ctx)
	if err != nil {
		return nil, err
	}
	usable, ended := map[string]int{}, map[string]int{}
	for _, g := range rows {
		if g.Usable() {
			usable[g.SealKey()]++
		} else {
			ended[g.SealKey()]++
		}
	}
	uses := map[string][]KeyUse{}
	for _, k := range ring.Keys() {
		list := []KeyUse{
			{What: "grants sealed with it", Count: usable[k.ID], Do: "each is sealed again when it is refreshed, an idle one once in 30 days; procore-connect refresh PRINCIPAL does it now"},
			{What: "grants that have ended, sealed with it", Count: ended[k.ID], Do: "their users authorize again, or procore-connect revoke ends them"},
		}
		if !k.Current {
			since := ring.Current().CurrentSince.Add(keyring.Settled)
			list = append(list,
				KeyUse{What: "pairs in the rescue queue, which it may seal", Count: waiting, Until: since, Do: "procore-connect rescue run"},
				KeyUse{What: "cookies of browsers that authorize", Until: since.Add(cookies)},
				KeyUse{What: "backups, which may hold pairs that it sealed", Until: since.Add(backups)},
				KeyUse{What: "refresh tokens that the ledger knows by this key alone", Until: o.ledgerNeeds(ring, k.ID)})
		}
		uses[k.ID] = list
	}
	return uses, nil
}

// ledgerNeeds returns until when the ledger may know tokens by this key alone: those that were sent before every function
// knew one of the others. Zero: one of the others has been there from the beginning.
func (o *Operator) ledgerNeeds(ring *keyring.Ring, id string) (until time.Time) {
	for _, k := range ring.Keys() {
		switch {
		case k.ID == id:
		case k.Added.IsZero():
			return time.Time{}
		case until.IsZero() || k.Added.Before(until):
			until = k.Added
		}
	}
	return until.Add(keyring.Settled + tokens.LedgerLife)
}

// webhookUses counts the hooks by the credential that Procore last accepted.
func (o *Operator) webhookUses(ctx context.Context, ring *keyring.Ring) (map[string][]KeyUse, error) {
	hooks, err := all(ctx, o.Hooks.All(ctx))
	if err != nil {
		return nil, err
	}
	rows, err := all(ctx, o.Connections.All(ctx))
	if err != nil {
		return nil, err
	}
	connected := map[int64]bool{}
	for _, c := range rows {
		connected[c.CompanyID] = connected[c.CompanyID] || c.State == connections.Connected
	}
	last := ring.Current().CurrentSince.Add(keyring.Settled)
	counts, unknown, example := map[string]int{}, 0, map[string]int64{}
	for _, h := range hooks {
		if h.HookID == "" || !connected[h.CompanyID] {
			continue
		}
		id, _, known := strings.Cut(h.Credential, ".")
		if !known {
			unknown++
		}
		if counts[id]++; counts[id] == 1 || h.CompanyID < example[id] {
			example[id] = h.CompanyID
		}
		if h.CredentialAt.After(last) {
			last = h.CredentialAt
		}
	}
	uses := map[string][]KeyUse{}
	for _, k := range ring.Keys() {
		list := []KeyUse{{What: "hooks with its credential", Count: counts[k.ID], Do: doSync(example[k.ID])}}
		if !k.Current {
			list = append(list,
				KeyUse{What: "hooks whose credential is not known", Count: unknown, Do: doSync(example[""])},
				KeyUse{What: "deliveries that Procore may repeat with its credential", Until: last.Add(repeats)})
		}
		uses[k.ID] = list
	}
	return uses, nil
}

func doSync(company int64) string {
	return fmt.Sprintf("procore-connect webhooks sync --all, or for one of them webhooks sync %d", company)
}
