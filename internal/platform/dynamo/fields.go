package dynamo

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Fields connects a struct's fields with an item's attributes. A type lists them once, in a method that Encode and Decode
// call, so that what writes and what reads cannot differ. A zero value is not stored, and an absent attribute is zero.
type Fields struct {
	item Item // to write; nil while reading
	r    reader
}

// Encode returns the attributes of what list lists, nil for a field that is zero.
func Encode(list func(*Fields)) Item {
	f := Fields{item: Item{}}
	list(&f)
	return f.item
}

// Decode sets what list lists from the attributes of an item. The error names the first attribute that has another type,
// or cannot be parsed. It never contains the value.
func Decode(i Item, list func(*Fields)) error {
	f := Fields{r: reader{item: i}}
	list(&f)
	return f.r.err
}

// Require makes the absence of these attributes an error of Decode.
func (f *Fields) Require(names ...string) {
	for _, name := range names {
		if f.r.item[name] == nil {
			f.r.fail(name, "is missing")
		}
	}
}

func field[V any](f *Fields, name string, v *V, write func(V) types.AttributeValue, read func(*reader, string) V) {
	if f.item != nil {
		f.item[name] = write(*v)
	} else {
		*v = read(&f.r, name)
	}
}

// Text is a text.
func (f *Fields) Text(name string, v *string) { field(f, name, v, Text, (*reader).text) }

// Bytes is binary data.
func (f *Fields) Bytes(name string, v *[]byte) { field(f, name, v, Bytes, (*reader).bytes) }

// Bool is a boolean.
func (f *Fields) Bool(name string, v *bool) { field(f, name, v, boolean, (*reader).boolean) }

// Number is a whole number.
func (f *Fields) Number(name string, v *int64) { field(f, name, v, NonZero, (*reader).number) }

// Int is a whole number.
func (f *Fields) Int(name string, v *int) {
	n := int64(*v)
	f.Number(name, &n)
	*v = int(n)
}

// Duration is a number of whole seconds. The attribute's name ends in _s.
func (f *Fields) Duration(name string, v *time.Duration) {
	s := int64(*v / time.Second)
	f.Number(name, &s)
	*v = time.Duration(s) * time.Second
}

// ID is a company's id, which is text.
func (f *Fields) ID(name string, v *int64) { field(f, name, v, nonZeroID, (*reader).id) }

// Seconds is a time in Unix seconds.
func (f *Fields) Seconds(name string, v *time.Time) { field(f, name, v, Seconds, (*reader).seconds) }

// Millis is a time in Unix milliseconds. The attribute's name ends in _ms.
func (f *Fields) Millis(name string, v *time.Time) { field(f, name, v, Millis, (*reader).millis) }

// Numbers is a list of whole numbers.
func (f *Fields) Numbers(name string, v *[]int64) { list(f, name, v, Number, (*reader).number) }

// Times is a list of times in Unix seconds.
func (f *Fields) Times(name string, v *[]time.Time) { list(f, name, v, Seconds, (*reader).seconds) }

// Texts is a string set, which is read in order. A set holds a text once, and storage refuses an empty set.
func (f *Fields) Texts(name string, v *[]string) { field(f, name, v, Texts, (*reader).texts) }

// Maps is a list of items, whose fields each lists.
func Maps[E any](f *Fields, name string, v *[]E, each func(*E, *Fields)) {
	write := func(e E) types.AttributeValue {
		return &types.AttributeValueMemberM{Value: Compact(Encode(func(f *Fields) { each(&e, f) }))}
	}
	list(f, name, v, write, func(r *reader, name string) (e E) {
		m := member[types.AttributeValueMemberM](r, name, "a map")
		if err := Decode(m.Value, func(f *Fields) { each(&e, f) }); err != nil && r.err == nil {
			r.err = fmt.Errorf("attribute %q: %w", name, err)
		}
		return e
	})
}

// list is a list whose elements have the names list[0], list[1] and so on in errors.
func list[E any](f *Fields, name string, v *[]E, write func(E) types.AttributeValue, read func(*reader, string) E) {
	field(f, name, v, func(all []E) types.AttributeValue {
		l := &types.AttributeValueMemberL{}
		for _, e := range all {
			l.Value = append(l.Value, write(e))
		}
		if l.Value == nil {
			return nil
		}
		return l
	}, func(r *reader, name string) (all []E) {
		for i, e := range member[types.AttributeValueMemberL](r, name, "a list").Value {
			at := fmt.Sprintf("%s[%d]", name, i)
			one := reader{Item{at: e}, r.err}
			all = append(all, read(&one, at))
			r.err = one.err
		}
		return all
	})
}
