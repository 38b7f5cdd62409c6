package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

// CodeLifetime is how long the host application may take to redeem the code that the browser brings back.
const CodeLifetime = 10 * time.Minute

// ErrLinkUsed means that an authorization began by this link before, in another browser or with another outcome. The
// host application makes another link.
var ErrLinkUsed = errors.New("session: the link was used before")

// Link is the link of a host application that a session follows, as the host signed it.
type Link struct {
	Name      string // its challenge
	Reference string // the host's name of the tenant
	Tenant    string // the tenant's name for people
	Return    string // where the browser goes at the end
}

func (l *Link) fields(f *dynamo.Fields) {
	f.Text("link", &l.Name)
	f.Text("reference", &l.Reference)
	f.Text("tenant", &l.Tenant)
	f.Text("return_url", &l.Return)
}

// Refusal is why an administrator has to act before the company can be connected.
type Refusal struct {
	Reason      string // the problem's code
	CompanyID   int64
	CompanyName string
}

func (r *Refusal) fields(f *dynamo.Fields) {
	f.Text("refusal", &r.Reason)
	f.ID("refusal_company_id", &r.CompanyID)
	f.Text("refusal_company_name", &r.CompanyName)
}

// linkKey is the key of the row that a link has from its first use on: it has the flow that followed it last.
func linkKey(name string) dynamo.Item { return rowKey("link#" + name) }

// useLink is the part of a transaction that uses up a link for a flow.
func (s *Store) useLink(o Opening, flow string) types.TransactWriteItem {
	unused := new(dynamo.Expression)
	if o.Before == "" {
		unused.Absent("session")
	} else {
		unused.Equal("flow", dynamo.Text(o.Before))
	}
	item := linkKey(o.Link.Name)
	item["flow"] = dynamo.Text(flow)
	item["ttl"] = dynamo.Seconds(s.Clock.Now().Add(ReturnLifetime + keptFor))
	return unused.Put(s.Table, item)
}

// LinkFlow returns the flow that followed a link last, or nothing if none did.
func (s *Store) LinkFlow(ctx context.Context, name string) (flow string, err error) {
	item, err := dynamo.Get(ctx, s.DB, s.Table, linkKey(name))
	if err == nil {
		err = dynamo.Decode(item, func(f *dynamo.Fields) { f.Text("flow", &flow) })
	}
	if err != nil {
		return "", fmt.Errorf("session: link not read: %w", err)
	}
	return flow, nil
}

// Outcome returns what the host application may learn of the session, or nothing while that is open, and of a session
// without a link.
func (s Session) Outcome() link.Outcome {
	switch {
	case s.Link.Name == "":
	case s.Status == Connected:
		return link.Connected
	case s.Status == Abandoned && s.Reason == Canceled:
		return link.Declined
	case s.Status == Pending && s.Refusal.Reason != "":
		return link.NeedsAdmin
	}
	return ""
}

// Refuse records why an administrator has to act before the company can be connected that the user chose.
func (s *Store) Refuse(ctx context.Context, pending Session, r Refusal) error {
	if pending.Status != Pending {
		return ErrUsed
	}
	next := pending.withoutCode()
	next.Refusal = r
	return s.write(ctx, pending, next)
}

// withoutCode returns a session whose outcome changes: a code belongs to one outcome.
func (s Session) withoutCode() Session {
	s.code, s.codeExpires, s.Redeemed = "", time.Time{}, false
	return s
}

// Code returns the code for the session's outcome, valid for [CodeLifetime] from now. It is the same one each time that
// the browser loads the redirect for the same outcome, and is redeemed once.
func (s *Store) Code(ctx context.Context, held Session) (procore.Secret, error) {
	ring, err := s.Keys.Get(ctx)
	if err != nil {
		return procore.Secret{}, err
	}
	code, err := derived(ring, ring.Current(), "link code", held.Flow, held.cookie, string(held.Outcome()), fmt.Sprint(held.Refusal))
	if err != nil {
		return procore.Secret{}, err
	}
	next := held
	next.codeExpires = s.Clock.Now().Add(CodeLifetime)
	if next.code = hash(code); next.code != held.code {
		next.Redeemed = false
	}
	err = s.write(ctx, held, next, "code", "redeemed")
	if errors.Is(err, ErrUsed) { // loaded twice at a time, or redeemed in the meantime
		if again, e := s.Reread(ctx, held); e == nil && equal(again.code, next.code) {
			return code, nil
		}
	}
	return code, err
}

// Linked returns the session that followed the link of this name last and led to this code. It is for the host's server,
// which has no cookie: the caller has verified that it knows the link's verifier. Any other code is an ErrUnknown.
func (s *Store) Linked(ctx context.Context, name string, code procore.Secret) (Session, error) {
	flow, err := s.LinkFlow(ctx, name)
	if err != nil {
		return Session{}, err
	}
	if flow == "" {
		return Session{}, ErrUnknown
	}
	found, err := s.read(ctx, flow)
	switch {
	case err != nil:
		return Session{}, err
	case !equal(found.code, hash(code)), s.Clock.Now().After(found.codeExpires):
		return Session{}, ErrUnknown
	}
	ours, err := s.ours(ctx, found)
	if err == nil && !ours {
		err = ErrUnknown
	}
	return found, err
}

// Redeem uses up the code of a session that led to no connection. An ErrUsed means that another request did.
func (s *Store) Redeem(ctx context.Context, found Session) error {
	return s.write(ctx, found, found.redeemed(), "code", "redeemed")
}

// Redemption is Redeem as a part of the transaction that puts the reference on the connection.
func (s *Store) Redemption(found Session) types.TransactWriteItem {
	return s.update(found, found.redeemed(), "code", "redeemed")
}

func (s Session) redeemed() Session {
	s.Redeemed = true
	return s
}
