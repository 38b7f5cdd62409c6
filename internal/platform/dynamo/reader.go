package dynamo

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Reader reads attributes of an item. An absent attribute is the zero value. The first one that has another type, or
// cannot be parsed, is the error that Err returns; it names the attribute and never contains its value.
type Reader struct {
	item Item
	err  error
}

// Read returns a reader of the item.
func Read(i Item) *Reader { return &Reader{item: i} }

// Err returns the error of the first attribute that is wrong.
func (r *Reader) Err() error { return r.err }

func (r *Reader) fail(name, problem string) {
	if r.err == nil {
		r.err = fmt.Errorf("attribute %q %s", name, problem)
	}
}

// Require makes the absence of these attributes an error.
func (r *Reader) Require(names ...string) {
	for _, name := range names {
		if r.item[name] == nil {
			r.fail(name, "is missing")
		}
	}
}

// member returns the attribute as a type of the SDK, nil if it is absent or wrong.
func member[M any](r *Reader, name, kind string) *M {
	v := r.item[name]
	m, ok := any(v).(*M)
	if v != nil && !ok {
		r.fail(name, "is not "+kind)
	}
	return m
}

// Text reads a text.
func (r *Reader) Text(name string) string {
	if m := member[types.AttributeValueMemberS](r, name, "text"); m != nil {
		return m.Value
	}
	return ""
}

// Bytes reads binary data.
func (r *Reader) Bytes(name string) []byte {
	if m := member[types.AttributeValueMemberB](r, name, "binary"); m != nil {
		return m.Value
	}
	return nil
}

// Bool reports whether the attribute is true.
func (r *Reader) Bool(name string) bool {
	m := member[types.AttributeValueMemberBOOL](r, name, "a boolean")
	return m != nil && m.Value
}

// Number reads a whole number.
func (r *Reader) Number(name string) int64 {
	if m := member[types.AttributeValueMemberN](r, name, "a number"); m != nil {
		return r.parse(name, m.Value)
	}
	return 0
}

// ID reads a company's id, which is text.
func (r *Reader) ID(name string) int64 {
	if m := member[types.AttributeValueMemberS](r, name, "text"); m != nil {
		return r.parse(name, m.Value)
	}
	return 0
}

func (r *Reader) parse(name, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.fail(name, "is not a whole number")
		return 0
	}
	return n
}

// Seconds reads a time in Unix seconds.
func (r *Reader) Seconds(name string) time.Time {
	if n := r.Number(name); n != 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

// Millis reads a time in Unix milliseconds.
func (r *Reader) Millis(name string) time.Time {
	if n := r.Number(name); n != 0 {
		return time.UnixMilli(n)
	}
	return time.Time{}
}

// Numbers reads a list of whole numbers.
func (r *Reader) Numbers(name string) []int64 {
	return list(r, name, (*Reader).Number)
}

// Maps reads a list of items, each with its own reader.
func Maps[E any](r *Reader, name string, read func(*Reader) E) []E {
	return list(r, name, func(r *Reader, name string) (e E) {
		if m := member[types.AttributeValueMemberM](r, name, "a map"); m != nil {
			inner := Read(m.Value)
			if e = read(inner); inner.err != nil && r.err == nil {
				r.err = fmt.Errorf("attribute %q: %w", name, inner.err)
			}
		}
		return e
	})
}

// list reads a list whose elements have the names list[0], list[1] and so on.
func list[E any](r *Reader, name string, read func(r *Reader, name string) E) []E {
	m := member[types.AttributeValueMemberL](r, name, "a list")
	if m == nil {
		return nil
	}
	all := make([]E, len(m.Value))
	for i, v := range m.Value {
		at := fmt.Sprintf("%s[%d]", name, i)
		one := Reader{Item{at: v}, r.err}
		all[i], r.err = read(&one, at), one.err
	}
	return all
}
