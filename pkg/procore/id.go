package procore

import (
	"errors"
	"strconv"
	"strings"
)

// An ID is an id from Procore: a number in REST v1, a string of digits in REST v2.
// Both are read alike, null is 0, and no id goes through a float, which is exact
// only up to 2^53. The types of this package have int64 fields. Use ID for the id
// fields of your own types:
//
//	type Meeting struct {
//		ID    procore.ID `json:"id"`
//		Title string     `json:"title"`
//	}
//
// https://procore.github.io/documentation/new-rest-v2-version, "IDs Formatted as Strings"
type ID int64

var errID = errors.New("an id is not a 64-bit integer")

// UnmarshalJSON reads 42, "42" and null.
func (id *ID) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" {
		return nil
	}
	if len(s) > 1 && strings.HasPrefix(s, `"`) && strings.HasSuffix(s, `"`) {
		s = s[1 : len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return errID
	}
	*id = ID(n)
	return nil
}

// String returns the id in decimal, as in a path.
func (id ID) String() string { return decimal(int64(id)) }

// idOf makes encoding/json read an int64 as an [ID]. The types of this package have
// int64 ids, like every function that takes one; their UnmarshalJSON shadows those
// fields of the embedded plain struct with the result.
func idOf(n *int64) *ID { return (*ID)(n) }
