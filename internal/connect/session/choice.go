package session

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/keys"
)

// Choose records the company, before the first call into it. From then on no other
// company can be chosen in this flow until Unchoose.
func (s *Store) Choose(ctx context.Context, pending Session, companyID int64) (Session, error) {
	if pending.Status != Pending {
		return pending, ErrUsed
	}
	next := pending.withoutCode()
	next.Status, next.CompanyID = Chosen, companyID
	return next, s.write(ctx, pending, next)
}

// Unchoose lets the user choose again after Procore refused the company, and records why an administrator has to act.
func (s *Store) Unchoose(ctx context.Context, chosen Session, r Refusal) error {
	if chosen.Status != Chosen {
		return ErrUsed
	}
	next := chosen.withoutCode()
	next.Status, next.CompanyID, next.Refusal = Pending, 0, r
	return s.write(ctx, chosen, next)
}

// Cancel ends a session whose user doesn't want to connect a company. Canceling twice is
// not an error. A session that is not pending or chosen, or has moved on in the meantime,
// is ErrUsed: a pair is moved first, so that housekeeping revokes it with its grant.
func (s *Store) Cancel(ctx context.Context, held Session) error {
	switch held.Status {
	case Abandoned:
		return nil
	case Pending, Chosen:
		return s.write(ctx, held, held.abandoned(Canceled))
	}
	return ErrUsed
}

func (s Session) abandoned(why Reason) Session {
	s = s.withoutCode()
	s.Status, s.Reason, s.sealed = Abandoned, why, keys.Sealed{}
	return s
}

// Finish returns the part of the connecting transaction that ends a chosen session.
// For [ReturnLifetime], the session opens the page of the connection, which has the user's
// name: the session has ids alone.
func (s *Store) Finish(chosen Session) types.TransactWriteItem {
	chosen.Status = Chosen // the condition, whatever the caller passes
	next := chosen.withoutCode()
	next.Status, next.UserName, next.Refusal = Connected, "", Refusal{}
	next.Expires = s.Clock.Now().Add(ReturnLifetime)
	return s.update(chosen, next)
}
