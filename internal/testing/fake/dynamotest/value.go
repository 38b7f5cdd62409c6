package dynamotest

import (
	"cmp"
	"maps"
	"slices"
)

// An item is a map of attributes. Items and values are never changed once they are built, so they are shared freely.
type item map[string]value

// A value is one attribute value. Sets of numbers and of binaries are not supported.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
type value struct {
	kind string // S, N, B, BOOL, NULL, SS, L or M; "" for none
	text string // of the first five. Equal values of one kind have the same text
	more any    // of the others: a set, a []value or an item
}

// A set is a set of strings in order, so that equal sets have the same spelling. The service keeps no order.
type set []string

// setOf makes a set of strings in any order. It refuses an empty set, and a string that the set has twice.
func setOf(given []string) value {
	all := slices.Sorted(slices.Values(given))
	switch {
	case len(all) == 0:
		refuse("One or more parameter values were invalid: An string set  may not be empty")
	case len(slices.Compact(slices.Clone(all))) < len(all):
		refuse("One or more parameter values were invalid: Input collection %v contains duplicates.", given)
	}
	return value{kind: "SS", more: set(all)}
}

func (v value) equal(w value) bool {
	if v.kind != w.kind || v.text != w.text {
		return false
	}
	switch a := v.more.(type) {
	case set:
		return slices.Equal(a, w.more.(set))
	case []value:
		return slices.EqualFunc(a, w.more.([]value), value.equal)
	case item:
		return a.equal(w.more.(item))
	}
	return true
}

func (i item) equal(j item) bool { return maps.EqualFunc(i, j, value.equal) }

// compare orders two values. ok is false if their kinds differ or have no order.
func (v value) compare(w value) (order int, ok bool) {
	switch {
	case v.kind != w.kind:
		return cmp.Compare(v.kind, w.kind), false
	case v.kind == "N":
		return number(v.text).compare(number(w.text)), true
	default:
		return cmp.Compare(v.text, w.text), v.kind == "S" || v.kind == "B"
	}
}

// bytes returns the value's share of the item size. It refuses a value that has no kind.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func (v value) bytes() int {
	switch v.kind {
	case "":
		refuse("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case "N":
		return (len(v.text)+1)/2 + 1
	case "BOOL", "NULL":
		return 1
	}
	n := len(v.text)
	switch all := v.more.(type) {
	case set:
		for _, e := range all {
			n += len(e)
		}
	case []value:
		n += 3 + len(all)
		for _, e := range all {
			n += e.bytes()
		}
	case item:
		n += 3 + len(all) + all.bytes()
	}
	return n
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
