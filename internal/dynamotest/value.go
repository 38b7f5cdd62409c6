package dynamotest

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
)

// An item is a map of attributes. Items and values are never changed once they are built, so they are shared freely.
type item map[string]value

// UnmarshalJSON reads a map of attributes.
func (i *item) UnmarshalJSON(data []byte) error {
	var m map[string]value
	err := json.Unmarshal(data, &m)
	if _, ok := m[""]; ok {
		refuse("1 validation error detected: Empty attribute name")
	}
	*i = m
	return err
}

// A value is one attribute value; kind is its type's name on the wire and says which other field holds it.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
type value struct {
	kind string
	text string   // S, N (canonical spelling), B (the bytes)
	flag bool     // BOOL, NULL
	set  []string // SS, NS, BS; sorted
	list []value  // L
	m    item     // M
}

// UnmarshalJSON reads the wire's {"S":"text"}.
func (v *value) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	if len(members) != 1 {
		refuse("Supplied AttributeValue must contain exactly one of the supported datatypes")
	}
	for kind, raw := range members {
		*v = value{kind: kind}
		return v.decode(raw)
	}
	return nil
}

func (v *value) decode(raw json.RawMessage) error {
	var err error
	switch v.kind {
	case "S":
		err = json.Unmarshal(raw, &v.text)
	case "B":
		var data []byte
		err = json.Unmarshal(raw, &data)
		v.text = string(data)
	case "N":
		if err = json.Unmarshal(raw, &v.text); err == nil {
			v.text = canonical(v.text)
		}
	case "BOOL", "NULL":
		err = json.Unmarshal(raw, &v.flag)
		if v.kind == "NULL" && !v.flag {
			refuse("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
	case "L":
		v.list = []value{}
		err = json.Unmarshal(raw, &v.list)
	case "M":
		v.m = item{}
		err = json.Unmarshal(raw, &v.m)
	case "SS", "NS", "BS":
		err = v.decodeSet(raw)
	default:
		panic(&apiError{code: "SerializationException", message: "unknown attribute type " + v.kind})
	}
	return err
}

func (v *value) decodeSet(raw json.RawMessage) error {
	var members []json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	for _, m := range members {
		element := value{kind: v.kind[:1]}
		if err := element.decode(m); err != nil {
			return err
		}
		v.set = append(v.set, element.text)
	}
	slices.Sort(v.set)
	if unique := slices.Compact(slices.Clone(v.set)); len(unique) == 0 || len(unique) < len(v.set) {
		refuse("One or more parameter values were invalid: a set is empty or contains duplicates")
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (v value) MarshalJSON() ([]byte, error) {
	var content any = v.text
	switch v.kind {
	case "B":
		content = []byte(v.text)
	case "BOOL", "NULL":
		content = v.flag
	case "L":
		content = v.list
	case "M":
		content = v.m
	case "SS", "NS":
		content = v.set
	case "BS":
		set := make([][]byte, len(v.set))
		for n, s := range v.set {
			set[n] = []byte(s)
		}
		content = set
	}
	return json.Marshal(map[string]any{v.kind: content})
}

func (v value) equal(w value) bool { return reflect.DeepEqual(v, w) }

// compare orders two values of one kind; ok is false when the kinds differ or have no order.
func (v value) compare(w value) (order int, ok bool) {
	switch {
	case v.kind != w.kind:
		return 0, false
	case v.kind == "N":
		return compareNumbers(v.text, w.text), true
	}
	return cmp.Compare(v.text, w.text), v.kind == "S" || v.kind == "B"
}

// bytes is the value's share of the item size.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func (v value) bytes() int {
	n := len(v.text)
	switch v.kind {
	case "N":
		n = (n+1)/2 + 1
	case "BOOL", "NULL":
		n = 1
	case "L", "M":
		n = 3 + len(v.list) + len(v.m)
	}
	for _, e := range v.list {
		n += e.bytes()
	}
	for _, s := range v.set {
		n += value{kind: v.kind[:1], text: s}.bytes()
	}
	return n + v.m.bytes()
}

func (i item) bytes() int {
	n := 0
	for name, v := range i {
		n += len(name) + v.bytes()
	}
	return n
}

func (v value) depth() int {
	deepest := 0
	for _, e := range v.list {
		deepest = max(deepest, e.depth())
	}
	for _, e := range v.m {
		deepest = max(deepest, e.depth())
	}
	return deepest + 1
}

// only returns the named attributes of the item, of those it has.
func (i item) only(names []string) item {
	part := make(item, len(names))
	for _, name := range names {
		if v, ok := i[name]; ok {
			part[name] = v
		}
	}
	return part
}
