package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"procore-connect/internal/operator/keyring"
)

// Rotation is what a rotation does next.
type Rotation struct {
	Ring   RingName `json:"ring"`
	From   string   `json:"from"` // the current key
	To     string   `json:"to"`   // the key that becomes the current one
	Exists bool     `json:"-"`    // To was added before
}

// NextRotation returns what a rotation of a ring would do now.
func (o *Operator) NextRotation(ctx context.Context, name RingName) (Rotation, error) {
	_, ring, err := o.read(ctx, name)
	if err != nil {
		return Rotation{}, err
	}
	to, added := ring.Target()
	return Rotation{name, ring.Current().ID, to, added}, nil
}

// progressEvery is how often a wait reports how long it still takes.
const progressEvery = time.Minute

// Rotate makes a new key the current one, in steps that may each be the last one of a process: it adds a key that nothing
// uses, waits until every function has read it, and makes it the current one. Called again with the same rotation it goes
// on; two at once end with the one key. say is called with what is done, and while it waits.
func (o *Operator) Rotate(ctx context.Context, r Rotation, say func(string)) error {
	secret := o.secret(r.Ring)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		ring, err := secret.Read(ctx)
		if err != nil {
			return err
		}
		now := o.clock.Now()
		switch {
		case ring.Current().ID == r.To:
			return nil
		case ring.Current().ID != r.From:
			return fmt.Errorf("another operator made %s the current key of the ring %s in between; nothing more is to be done", ring.Current().ID, r.Ring)
		case !ring.Has(r.To):
			err = ring.Add(r.To, secret.Random, now)
			if err == nil {
				err = secret.Write(ctx, ring)
			}
			if err == nil {
				say(fmt.Sprintf("Added the key %s, which nothing uses yet.", r.To))
			}
		default:
			if err := o.settle(ctx, addedAt(ring, r.To), "every function knows the key "+r.To, say); err != nil {
				return err
			}
			err = ring.Promote(r.To, o.clock.Now())
			if err == nil {
				err = secret.Write(ctx, ring)
			}
		}
		if err != nil && !errors.Is(err, keyring.ErrChanged) { // another operator's change may be the one that is wanted
			return err
		}
	}
}

func addedAt(ring *keyring.Ring, id string) time.Time {
	for _, k := range ring.Keys() {
		if k.ID == id {
			return k.Added
		}
	}
	return time.Time{}
}

// settle waits until a change that was made at a time is known to every function.
func (o *Operator) settle(ctx context.Context, changed time.Time, until string, say func(string)) error {
	for {
		left := changed.Add(keyring.Settled).Sub(o.clock.Now())
		if left <= 0 {
			return nil
		}
		say(fmt.Sprintf("Waiting %s until %s.", minutes(left), until))
		if err := o.clock.Sleep(ctx, min(left, progressEvery)); err != nil {
			return err
		}
	}
}

// minutes is a time to wait, in whole minutes.
func minutes(d time.Duration) string { return fmt.Sprintf("%d min", (d+time.Minute-1)/time.Minute) }

// ErrNeeded means that a key is still needed, and was not removed.
var ErrNeeded = errors.New("is still needed")

// Retire removes a key from its ring if nothing needs it any longer. Otherwise the error matches ErrNeeded, and says what
// needs it, and until when.
func (o *Operator) Retire(ctx context.Context, name RingName, id string) error {
	secret, ring, err := o.read(ctx, name) // before what is counted: a change in between is then refused
	if err != nil {
		return err
	}
	if !ring.Has(id) {
		return fmt.Errorf("the ring %s has no key %.20q; procore-connect keys status shows those it has", name, id)
	}
	uses, err := o.uses(ctx, name, ring)
	if err != nil {
		return err
	}
	k := o.judged(RingKey{Ring: name, ID: id, Current: ring.Current().ID == id, Uses: uses[id]})
	if !k.Retire {
		return fmt.Errorf("the key %s of the ring %s %w: %s", id, name, ErrNeeded, k.Why())
	}
	if err := ring.Remove(id); err != nil {
		return err
	}
	return secret.Write(ctx, ring)
}

// Why says what still needs a key, and until when.
func (k RingKey) Why() string {
	if k.Current {
		return fmt.Sprintf("it is the current key; procore-connect keys rotate %s makes another one current", k.Ring)
	}
	var all []string
	for _, u := range k.Uses {
		s := u.What
		if u.Count > 0 {
			s = fmt.Sprintf("%s: %d", s, u.Count)
		}
		switch {
		case u.Count > 0 && u.Do != "":
			s += " (" + u.Do + ")"
		case !u.Until.IsZero():
			s += ", until " + clock(u.Until)
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

// RaiseEpoch retires the webhook credential of one company, and returns the epoch of the next one, and when every function
// knows it. Until then a function that does not may give the hook the old one again, so make a pass now and another one
// then.
func (o *Operator) RaiseEpoch(ctx context.Context, companyID int64) (epoch int64, settled time.Time, err error) {
	secret := o.secret(WebhookRing)
	ring, err := secret.Read(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	if epoch, err = ring.RaiseEpoch(companyID); err == nil {
		err = secret.Write(ctx, ring)
	}
	return epoch, o.clock.Now().Add(keyring.Settled), err
}

// Settle waits until every function knows a change of a secret, and reports what it waits for.
func (o *Operator) Settle(ctx context.Context, settled time.Time, say func(string)) error {
	return o.settle(ctx, settled.Add(-keyring.Settled), "every function knows the change", say)
}
