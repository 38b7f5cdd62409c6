package dynamotest

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
)

// An item is a map of attributes. Items and values are never changed once they are built, so they are shared freely.
type item map[string]value

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
	switch len(members) {
	case 0:
		return invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case 1:
	default:
		return invalid("Supplied AttributeValue has more than one datatypes set, " +
			"must contain exactly one of the supported datatypes")
	}
	for kind, raw := range members {
		*v = value{kind: kind}
		return v.decode(raw)
	}
	return nil
}

func (v *value) decode(raw json.RawMessage) error {
	switch v.kind {
	case "S":
		return json.Unmarshal(raw, &v.text)
	case "B":
		var data []byte
		err := json.Unmarshal(raw, &data)
		v.text = string(data)
		return err
	case "N":
		if err := json.Unmarshal(raw, &v.text); err != nil {
			return err
		}
		_, text, err := parseNumber(v.text)
		v.text = text
		return err
	case "BOOL":
		return json.Unmarshal(raw, &v.flag)
	case "NULL":
		if err := json.Unmarshal(raw, &v.flag); err != nil || v.flag {
			return err
		}
		return badValue("Null attribute value types must have the value of true")
	case "L":
		v.list = []value{}
		return json.Unmarshal(raw, &v.list)
	case "M":
		v.m = item{}
		return json.Unmarshal(raw, &v.m)
	case "SS", "NS", "BS":
		return v.decodeSet(raw)
	}
	return &apiError{code: "SerializationException", message: "unknown attribute type " + v.kind}
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
	if len(v.set) == 0 {
		return badValue("An %s set  may not be empty", map[string]string{"SS": "string", "NS": "number", "BS": "binary"}[v.kind])
	}
	if len(slices.Compact(slices.Clone(v.set))) < len(v.set) {
		return badValue("Input collection contains duplicates.")
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
		var set [][]byte
		for _, s := range v.set {
			set = append(set, []byte(s))
		}
		content = set
	}
	return json.Marshal(map[string]any{v.kind: content})
}

func (v value) equal(w value) bool { return reflect.DeepEqual(v, w) }

// compare orders two values of one kind; ok is false when the kinds differ or have no order.
func (v value) compare(w value) (order int, ok bool) {
	if v.kind != w.kind {
		return 0, false
	}
	switch v.kind {
	case "S", "B":
		return cmp.Compare(v.text, w.text), true
	case "N":
		return mustNumber(v.text).cmp(mustNumber(w.text)), true
	}
	return 0, false
}

// bytes is the value's share of the item size.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func (v value) bytes() int {
	switch v.kind {
	case "S", "B":
		return len(v.text)
	case "N":
		return numberBytes(v.text)
	case "L":
		n := 3
		for _, e := range v.list {
			n += 1 + e.bytes()
		}
		return n
	case "M":
		return 3 + len(v.m) + v.m.bytes()
	case "NS":
		n := 0
		for _, e := range v.set {
			n += numberBytes(e)
		}
		return n
	case "SS", "BS":
		n := 0
		for _, e := range v.set {
			n += len(e)
		}
		return n
	}
	return 1
}

// numberBytes is about one byte for two digits and one more, as the service says it.
func numberBytes(text string) int { return (len(text)+1)/2 + 1 }

func (i item) bytes() int {
	n := 0
	for name, v := range i {
		n += len(name) + v.bytes()
	}
	return n
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
