package procore

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Unmarshal reads JSON from outside into v as far as it fits. The clients of this
// package read every answer with it; use it for what [CompanyClient.Read] returns and
// for what other services send.
//
// A field of another type than v's is read as that type if that loses nothing: a number
// or a boolean in a text, a text from a number, a time without a zone or of a day. Else
// the field is left zero. An item of another type than the list's is dropped. So one odd
// field never costs its item, and one odd item never costs its list. Names may differ in
// letter case, and a byte order mark is ignored. Absent and null are zero, and not odd.
//
// odd names the parts that were dropped, at most 20, without their content, for a log
// line or a metric. The error means that b is not JSON, or as a whole is of another type
// than v; it repeats nothing of b.
func Unmarshal(b []byte, v any) (odd []string, err error) {
	b = plainText(b)
	to := reflect.ValueOf(v)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return nil, errors.New("procore: Unmarshal needs a pointer")
	}
	if plain := reflect.New(to.Type().Elem()); flat(plain.Elem()) && !null(b) && json.Unmarshal(b, plain.Interface()) == nil {
		to.Elem().Set(plain.Elem()) // nothing is odd: the usual case, and ten times as fast
		return nil, nil
	}
	if !json.Valid(b) {
		return nil, notJSON(b)
	}
	var l lenient
	if !l.read(b, to.Elem(), "") {
		return nil, errType
	}
	return l.odd, nil
}

// flat reports whether v is a struct of scalars and times alone, in which encoding/json
// finds whatever is odd.
func flat(v reflect.Value) bool {
	if v.Kind() != reflect.Struct {
		return false
	}
	for f, field := range v.Fields() {
		t := field.Type()
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		scalar := reflect.Bool <= t.Kind() && t.Kind() <= reflect.Float64 || t.Kind() == reflect.String
		own := reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
		if f.Anonymous || t != reflect.TypeFor[time.Time]() && (!scalar || own) {
			return false
		}
	}
	return true
}

// notJSON says where b stops to be JSON.
func notJSON(b []byte) error {
	_, reason := jsonProblem(json.Unmarshal(b, new(json.RawMessage)))
	return errors.New(reason)
}

var errType = errors.New("a value of another type is required")

// lenient collects the odd parts of a value.
type lenient struct {
	odd   []string
	depth int
}

const (
	maxOdd   = 20
	maxDepth = 50 // each level reads the rest again
)

func (l *lenient) note(name string) {
	if len(l.odd) < maxOdd {
		l.odd = append(l.odd, strings.TrimPrefix(name, "."))
	}
}

// read reads b into v, and reports whether it fits as a whole. v is unchanged otherwise.
func (l *lenient) read(b []byte, v reflect.Value, name string) bool {
	if null(b) {
		return true
	}
	if l.depth++; l.depth > maxDepth {
		l.depth--
		return false
	}
	defer func() { l.depth-- }()
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		return readTime(b, to)
	case *ID:
		return readID(b, to)
	case *json.RawMessage:
		*to = slices.Clone(b)
		return true
	case json.Unmarshaler:
		return json.Unmarshal(b, to) == nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		to := reflect.New(v.Type().Elem())
		if !l.read(b, to.Elem(), name) {
			return false
		}
		v.Set(to)
		return true
	case reflect.Struct:
		return l.object(b, v, name)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			return l.list(b, v, name)
		}
	case reflect.Map:
		return l.members(b, v, name)
	}
	return readScalar(b, v)
}

// object reads an object into a struct, by the names of encoding/json. Fields of an
// embedded struct are read like the struct's own.
func (l *lenient) object(b []byte, v reflect.Value, name string) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(b, &members) != nil {
		return false
	}
	var folded map[string]string // the names in lower case
	for _, f := range reflect.VisibleFields(v.Type()) {
		field, tag, ok := fieldOf(v, f)
		if !ok {
			continue
		}
		member, ok := members[tag]
		if !ok && folded == nil {
			folded = make(map[string]string, len(members))
			for _, n := range slices.Sorted(maps.Keys(members)) {
				folded[strings.ToLower(n)] = n
			}
		}
		if !ok {
			member, ok = members[folded[strings.ToLower(tag)]]
		}
		if ok && !l.read(member, field, name+"."+tag) {
			l.note(name + "." + tag)
		}
	}
	return true
}

// fieldOf returns the field f of v and its name in JSON, or false for a field that JSON
// does not have.
func fieldOf(v reflect.Value, f reflect.StructField) (reflect.Value, string, bool) {
	tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	embedded := f.Type
	if embedded.Kind() == reflect.Pointer {
		embedded = embedded.Elem()
	}
	if !f.IsExported() || tag == "-" || f.Anonymous && tag == "" && embedded.Kind() == reflect.Struct {
		return v, "", false
	}
	for _, i := range f.Index[:len(f.Index)-1] {
		if v = v.Field(i); v.Kind() == reflect.Pointer {
			if v.IsNil() && !v.CanSet() {
				return v, "", false
			}
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
	}
	if tag == "" {
		tag = f.Name
	}
	return v.Field(f.Index[len(f.Index)-1]), tag, true
}

// list reads an array into a slice, without the items that do not fit. Null is no item.
// Items that are read later are all kept.
func (l *lenient) list(b []byte, v reflect.Value, name string) bool {
	var items []json.RawMessage
	if json.Unmarshal(b, &items) != nil {
		return false
	}
	if v.Type() == reflect.TypeFor[[]json.RawMessage]() {
		v.Set(reflect.ValueOf(items))
		return true
	}
	all := reflect.MakeSlice(v.Type(), 0, len(items))
	for _, item := range items {
		one := reflect.New(v.Type().Elem()).Elem()
		if null(item) || !l.read(item, one, name+"[]") {
			l.note(name + "[]")
			continue
		}
		all = reflect.Append(all, one)
	}
	v.Set(all)
	return true
}

// members reads an object into a map with texts as keys.
func (l *lenient) members(b []byte, v reflect.Value, name string) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(b, &members) != nil || v.Type().Key().Kind() != reflect.String {
		return false
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(members)))
	for key, member := range members {
		one := reflect.New(v.Type().Elem()).Elem()
		if !l.read(member, one, name+".*") {
			l.note(name + ".*") // the key may be anything
			continue
		}
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), one)
	}
	return true
}

func null(b []byte) bool { return len(b) == 0 || string(b) == "null" }
