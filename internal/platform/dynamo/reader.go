package dynamo

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// reader reads attributes of an item. The first one that is wrong is its error.
type reader struct {
	item Item
	err  error
}

func (r *reader) fail(name, problem string) {
	if r.err == nil {
		r.err = fmt.Errorf("attribute %q %s", name, problem)
	}
}

// member returns the attribute as a type of the SDK, or the zero value of that.
func member[M any](r *reader, name, kind string) *M {
	v := r.item[name]
	if m, ok := any(v).(*M); ok {
		return m
	}
	if v != nil {
		r.fail(name, "is not "+kind)
	}
	return new(M)
}

func (r *reader) text(name string) string {
	return member[types.AttributeValueMemberS](r, name, "text").Value
}

func (r *reader) texts(name string) []string {
	return sortedSet(member[types.AttributeValueMemberSS](r, name, "a string set").Value)
}

func (r *reader) bytes(name string) []byte {
	return member[types.AttributeValueMemberB](r, name, "binary").Value
}

func (r *reader) boolean(name string) bool {
	return member[types.AttributeValueMemberBOOL](r, name, "a boolean").Value
}

func (r *reader) number(name string) int64 {
	return r.parse(name, member[types.AttributeValueMemberN](r, name, "a number").Value)
}

func (r *reader) id(name string) int64 { return r.parse(name, r.text(name)) }

func (r *reader) parse(name, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && s != "" {
		r.fail(name, "is not a whole number")
	}
	return n
}

func (r *reader) seconds(name string) (t time.Time) {
	if n := r.number(name); n != 0 {
		t = time.Unix(n, 0)
	}
	return t
}

func (r *reader) millis(name string) (t time.Time) {
	if n := r.number(name); n != 0 {
		t = time.UnixMilli(n)
	}
	return t
}
