package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/procore"
)

// Rows are rows of one kind that several processes change. Each write is conditional on the row being as it was read:
// the attribute rev counts the writes, and write is a random name of the last one, because the count begins again when a
// row is restored from a backup. All fields but Random must be set.
type Rows[R any] struct {
	DB    *dynamodb.Client
	Table string
	// Decode reads a row. A missing one has its key alone.
	Decode func(*R, Item) error
	// Encode returns the row's key and its other attributes. A nil value removes an attribute; one that Encode does not
	// name is kept, because a newer version may have written it.
	Encode func(R) (key, attributes Item)
	// Revision returns where the row has rev and write, both zero for a row that is not stored.
	Revision func(*R) (rev *int64, write *string)
	Random   procore.Random // of the writes' names
}

// maxSwaps is how often Apply tries to write a row that others change.
const maxSwaps = 10

// ChangedError is the error of a write whose row is no longer as it was read.
type ChangedError[R any] struct {
	Current R // as it is stored; with its key alone if there is no such row
}

func (e *ChangedError[R]) Error() string { return "dynamo: the row changed after it was read" }

// Get reads a row.
func (t Rows[R]) Get(ctx context.Context, key Item) (R, error) {
	item, err := Get(ctx, t.DB, t.Table, key)
	if err != nil {
		return *new(R), err
	}
	return t.decode(item, key)
}

func (t Rows[R]) decode(item, key Item) (r R, err error) {
	if len(item) == 0 {
		item = key
	}
	err = t.Decode(&r, item)
	return r, err
}

// Prepare returns next as it will be stored, and the write that puts it in the place of old if the row is still as old
// was read. It is for a transaction that begins with another row's Swap.
func (t Rows[R]) Prepare(old, next R) (R, types.TransactWriteItem) {
	oldRev, oldWrite := t.Revision(&old)
	rev, write := t.Revision(&next)
	*rev, *write = *oldRev+1, t.Random.Text()
	key, attributes := t.Encode(next)
	return next, new(Expression).Set(attributes).Equal("rev", NonZero(*oldRev)).Equal("write", Text(*oldWrite)).Update(t.Table, key)
}

// Swap writes next in the place of old if the row is still as old was read, and returns what is stored now. Other writes
// may join in one transaction. A lost race is a *ChangedError. If only the answer to this very write was lost, and the
// SDK repeated it, the row has this write's name, and Swap succeeds. After an error that [Refused] does not know, it is
// unknown whether the write was made.
func (t Rows[R]) Swap(ctx context.Context, old, next R, also ...types.TransactWriteItem) (R, error) {
	next, update := t.Prepare(old, next)
	var err error
	if len(also) == 0 {
		err = Write(ctx, t.DB, update)
	} else {
		err = Transact(ctx, t.DB, append([]types.TransactWriteItem{update}, also...)...)
	}
	reasons, _ := Refused(err)
	if !reasons.Failed(0) {
		return next, err
	}
	current, err := t.decode(reasons[0].Item, update.Update.Key)
	if err != nil {
		return next, err
	}
	_, write := t.Revision(&next)
	if _, name := t.Revision(&current); *name == *write {
		return next, nil
	}
	return next, &ChangedError[R]{current}
}

// Apply makes one step of a row, again on the newer row when another writer was faster. step computes the next row from
// the given one and nothing else, and reports false if nothing is to be done. It may be repeated after an error, and so
// must see by the row whether its step was made before. A row that other writers change ten times is a *ChangedError.
func (t Rows[R]) Apply(ctx context.Context, r R, step func(R) (R, bool)) (R, error) {
	for attempt := 1; ; attempt++ {
		next, ok := step(r)
		if !ok {
			return r, nil
		}
		next, err := t.Swap(ctx, r, next)
		changed, lost := errors.AsType[*ChangedError[R]](err)
		if !lost || attempt == maxSwaps {
			return next, err
		}
		r = changed.Current
	}
}
