package dynamotest

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
)

// An item is a map of attributes. Items and values are never changed once they are built, so they are shared freely.
type item map[string]value

// A value is one attribute value as on the wire: exactly one member is set. Sets of numbers and of binaries are not
// supported.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
type value struct {
	S    *string `json:",omitzero"`
	N    *number `json:",omitzero"`
	B    []byte  `json:",omitzero"`
	BOOL *bool   `json:",omitzero"`
	NULL *bool   `json:",omitzero"`
	SS   set     `json:",omitzero"`
	L    []value `json:",omitzero"`
	M    item    `json:",omitzero"`
}

// A set is a set of strings in order, so that equal sets have the same spelling. The service keeps no order.
type set []string

// UnmarshalJSON reads a set in any order. It refuses an empty set, and a string that the set has twice.
func (s *set) UnmarshalJSON(text []byte) error {
	var all []string
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	given := slices.Clone(all)
	slices.Sort(all)
	switch {
	case len(all) == 0:
		refuse("One or more parameter values were invalid: An string set  may not be empty")
	case len(slices.Compact(slices.Clone(all))) < len(all):
		refuse("One or more parameter values were invalid: Input collection %v contains duplicates.", given)
	}
	*s = all
	return nil
}

// kind returns the name of the member that is set, or "" if not exactly one is.
func (v value) kind() (kind string) {
	names := [...]string{"S", "N", "B", "BOOL", "NULL", "SS", "L", "M"}
	for n, there := range [...]bool{v.S != nil, v.N != nil, v.B != nil, v.BOOL != nil, v.NULL != nil, v.SS != nil, v.L != nil, v.M != nil} {
		if there && kind != "" {
			return ""
		}
		if there {
			kind = names[n]
		}
	}
	return kind
}

// text returns the content of an S, an N or a B. Equal values of one kind have the same text.
func (v value) text() string {
	switch {
	case v.S != nil:
		return *v.S
	case v.N != nil:
		return string(*v.N)
	}
	return string(v.B)
}

func (v value) equal(w value) bool {
	order, ordered := v.compare(w)
	return ordered && order == 0 || !ordered && reflect.DeepEqual(v, w)
}

// compare orders two values. ok is false if their kinds differ or have no order.
func (v value) compare(w value) (order int, ok bool) {
	switch kind := v.kind(); {
	case kind != w.kind():
		return cmp.Compare(kind, w.kind()), false
	case kind == "N":
		return v.N.compare(*w.N), true
	default:
		return cmp.Compare(v.text(), w.text()), kind == "S" || kind == "B"
	}
}

// bytes returns the value's share of the item size. It refuses a value without exactly one member.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func (v value) bytes() int {
	switch v.kind() {
	case "":
		refuse("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case "N":
		return (len(v.text())+1)/2 + 1
	case "BOOL", "NULL":
		return 1
	case "SS":
		n := 0
		for _, e := range v.SS {
			n += len(e)
		}
		return n
	case "L", "M":
		n := 3 + len(v.L) + len(v.M) + v.M.bytes()
		for _, e := range v.L {
			n += e.bytes()
		}
		return n
	}
	return len(v.text())
}

func (i item) bytes() int {
	n := 0
	for name, v := range i {
		n += len(name) + v.bytes()
	}
	return n
}

// only returns those of the named attributes that the item has.
func (i item) only(names []string) item {
	part := make(item, len(names))
	for _, name := range names {
		if v, ok := i[name]; ok {
			part[name] = v
		}
	}
	return part
}
