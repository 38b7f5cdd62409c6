package connections

import (
	"context"
	"errors"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// ReleaseEnded removes the company of a user's connection from the holders of the user's
// grant if the connection has ended, or is gone. A grant that was restored from a backup
// has the holders that it had then. Nothing else would remove such a holder, and the
// grant would never be revoked. It reports whether the grant had that holder. A
// connection that is made at the same time keeps its grant.
func (s *Store) ReleaseEnded(ctx context.Context, k Key) (released bool, err error) {
	for range maxTries {
		g, err := s.Tokens.Grant(ctx, k.Principal)
		if errors.Is(err, tokens.ErrNotFound) {
			return false, nil
		}
		if err != nil || !g.HeldBy(k.holder()) {
			return false, err
		}
		c, err := s.get(ctx, k)
		if err != nil || c.Rev != 0 && c.State != Ended {
			return false, err
		}
		unchanged := new(dynamo.Expression).Equal("rev", dynamo.NonZero(c.Rev)).Equal("write", dynamo.Text(c.write))
		_, err = s.Tokens.Release(ctx, k.Principal, k.holder(), unchanged.Check(s.Table, s.rowKey(k)))
		if !errors.Is(err, tokens.ErrUsed) {
			return err == nil, err
		}
	}
	return false, later(k, "the connection keeps changing", nil)
}
