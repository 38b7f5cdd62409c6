package procore

import (
	"errors"
	"strconv"
	"strings"
)

// An ID is an id as it comes from Procore: a number in REST v1, a string of
// digits in REST v2. Both are read alike, null is 0, and nothing goes through a
// float, which ends at 2^53. The types of this package have int64; give the id
// fields of a type of your own this one:
//
//	type Meeting struct {
//		ID    procore.ID `json:"id"`
//		Title string     `json:"title"`
//	}
//
// https://procore.github.io/documentation/new-rest-v2-version, "IDs Formatted as Strings"
type ID int64

var errID = errors.New("an id is not a whole number of 64 bits")

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

// String writes the id as it stands in a path.
func (id ID) String() string { return decimal(int64(id)) }

// idOf lets an int64 be read as an [ID]: the types of this package have int64 for
// ids, as all that takes one does, and read theirs past the embedded plain struct.
func idOf(n *int64) *ID { return (*ID)(n) }
