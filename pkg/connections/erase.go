package connections

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// ErrInUse means that something of a company was not erased, because it is in use again.
var ErrInUse = errors.New("the company was connected again, or a row of it has just changed; end its connections, and erase again")

// erasable is what is read of any row of a company.
type erasable struct {
	principal, write string
	rev              int64
	inUse            bool
}

func (e *erasable) read(item dynamo.Item) error {
	is := ""
	err := dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Text("principal", &e.principal)
		f.Text("state", &is)
		f.Number("rev", &e.rev)
		f.Text("write", &e.write)
	})
	e.inUse = isPrincipal(tokens.Principal(e.principal)) && State(is) != Ended
	return err
}

// Erase deletes all rows of a company: its connections, which must have ended, and what other packages keep beside them. It
// returns how many it deleted. ErrInUse means that one is connected, or has just changed. It may be repeated after any
// error.
func (s *Store) Erase(ctx context.Context, companyID int64) (deleted int, err error) {
	partition := s.Row(Key{CompanyID: companyID}.holder(), "")["company"]
	in := new(dynamo.Expression).Equal("company", partition).Query(s.Table, "")
	in.ConsistentRead = aws.Bool(true)
	for row, err := range dynamo.Query(ctx, s.DB, "connections: the rows of a company", in, (*erasable).read) {
		if err != nil {
			return deleted, err
		}
		if row.inUse {
			return deleted, fmt.Errorf("company %d: %w", companyID, ErrInUse)
		}
		unchanged := new(dynamo.Expression).Equal("rev", dynamo.NonZero(row.rev)).Equal("write", dynamo.Text(row.write))
		err = dynamo.Write(ctx, s.DB, unchanged.Delete(s.Table, s.Row(Key{CompanyID: companyID}.holder(), row.principal)))
		switch {
		case dynamo.ConditionFailed(err):
			return deleted, fmt.Errorf("company %d: %w", companyID, ErrInUse)
		case err != nil:
			return deleted, fmt.Errorf("connections: a row of company %d was not deleted: %w", companyID, err)
		}
		deleted++
	}
	return deleted, nil
}
