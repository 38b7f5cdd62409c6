package dynamotest

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// A wireValue is a value as it is on the wire: exactly one member is set.
type wireValue struct {
	S    *string              `json:",omitzero"`
	N    *string              `json:",omitzero"`
	B    []byte               `json:",omitzero"`
	BOOL *bool                `json:",omitzero"`
	NULL *bool                `json:",omitzero"`
	SS   []string             `json:",omitzero"`
	L    []wireValue          `json:",omitzero"`
	M    map[string]wireValue `json:",omitzero"`
}

// UnmarshalJSON reads an item from the wire. It refuses values of kinds that are not supported.
func (i *item) UnmarshalJSON(text []byte) error {
	var in map[string]wireValue
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	*i = itemOf(in, wireValue.value)
	return nil
}

// MarshalJSON writes an item to the wire.
func (i item) MarshalJSON() ([]byte, error) { return json.Marshal(mapOf(i, wire)) }

func (i item) json() json.RawMessage {
	if i == nil {
		return nil
	}
	text, _ := json.Marshal(i) // strings, numbers and their collections always marshal
	return text
}

// itemOf makes an item of values of another type. There is none of a nil map.
func itemOf[V any](in map[string]V, each func(V) value) item {
	if in == nil {
		return nil
	}
	out := make(item, len(in))
	for name, v := range in {
		out[name] = each(v)
	}
	return out
}

// mapOf is the reverse of itemOf.
func mapOf[V any](i item, each func(value) V) map[string]V {
	if i == nil {
		return nil
	}
	out := make(map[string]V, len(i))
	for name, v := range i {
		out[name] = each(v)
	}
	return out
}

// listOf makes a list of values, one of each of another type.
func listOf[From, To any](in []From, each func(From) To) []To {
	out := make([]To, len(in))
	for n, v := range in {
		out[n] = each(v)
	}
	return out
}

// value returns the value, or one without a kind if not exactly one member is set.
func (w wireValue) value() (v value) {
	n := 0
	set := func(there bool, read func() value) {
		if there {
			n++
			v = read()
		}
	}
	set(w.S != nil, func() value { return value{kind: "S", text: *w.S} })
	set(w.N != nil, func() value { return numberOf(*w.N) })
	set(w.B != nil, func() value { return value{kind: "B", text: string(w.B)} })
	set(w.BOOL != nil, func() value { return value{kind: "BOOL", text: strconv.FormatBool(*w.BOOL)} })
	set(w.NULL != nil, func() value { return value{kind: "NULL", text: strconv.FormatBool(*w.NULL)} })
	set(w.SS != nil, func() value { return setOf(w.SS) })
	set(w.L != nil, func() value { return value{kind: "L", more: listOf(w.L, wireValue.value)} })
	set(w.M != nil, func() value { return value{kind: "M", more: itemOf(w.M, wireValue.value)} })
	if n != 1 {
		return value{}
	}
	return v
}

func wire(v value) (w wireValue) {
	switch v.kind {
	case "S":
		w.S = &v.text
	case "N":
		w.N = &v.text
	case "B":
		w.B = []byte(v.text)
	case "BOOL":
		w.BOOL = new(v.text == "true")
	case "NULL":
		w.NULL = new(v.text == "true")
	case "SS":
		w.SS = v.more.(set)
	case "L":
		w.L = listOf(v.more.([]value), wire)
	case "M":
		w.M = mapOf(v.more.(item), wire)
	}
	return w
}
