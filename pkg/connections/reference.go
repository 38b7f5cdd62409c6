package connections

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// maxReference is how many characters a reference may have, in the row as in a link: see package link.
const maxReference = 128

// CheckReference returns an error for a text that cannot be a [Connection.Reference]. The error does not contain it.
func CheckReference(reference string) error {
	blank := func(r rune) bool { return r <= ' ' || r > '~' }
	if n := len(reference); n == 0 || n > maxReference || strings.ContainsFunc(reference, blank) {
		return fmt.Errorf("connections: a reference of %d bytes: it has to be 1 to %d characters of printable ASCII, without blanks", n, maxReference)
	}
	return nil
}

// SetReference records a host application's id of the tenant for which the user connected
// the company, in one transaction with also. It replaces another id. Only the connection
// that was seen has it: the error matches [ErrMadeAgain] if that was connected again since,
// and [ErrDisconnected], [ErrEnded] or [ErrNotFound] if it is no longer connected.
// [tokens.ErrUsed] means that an item of also refused the transaction.
func (s *Store) SetReference(ctx context.Context, seen Connection, reference string, also ...types.TransactWriteItem) (Connection, error) {
	if err := CheckReference(reference); err != nil {
		return seen, err
	}
	var refused error
	c, err := s.transact(ctx, seen.Key, func(c Connection) (Connection, bool) {
		refused = c.remains(seen)
		c.Reference = reference
		return c, refused == nil
	}, func(write types.TransactWriteItem) (again bool, err error) {
		return notStored(seen.Key, dynamo.Transact(ctx, s.DB, slices.Concat([]types.TransactWriteItem{write}, also)...))
	})
	if err == nil {
		err = refused
	}
	return c, err
}

// remains returns nil if the connection is connected, and was not made again since it was seen.
func (c Connection) remains(seen Connection) error {
	err := c.unusable(c.PausedUntil) // a pause is no reason
	if err == nil && !c.made(seen) {
		err = &Error{Key: c.Key, Decision: ErrMadeAgain, Since: c.ConnectedAt}
	}
	return err
}

// notStored returns the caller's error for a transaction that begins with the connection's
// write, and whether to make it again on the row as it is by then.
func notStored(k Key, err error) (again bool, _ error) {
	reasons, _ := dynamo.Refused(err)
	switch {
	case err == nil:
		return false, nil
	case reasons.Failed(0), reasons.Conflicted():
		return true, err
	case reasons.AnyFailed(1, len(reasons)):
		return false, &Error{Key: k, Decision: tokens.ErrUsed, Err: err}
	}
	return false, later(k, "the connection could not be stored", err)
}
