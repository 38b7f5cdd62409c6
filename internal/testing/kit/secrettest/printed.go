package secrettest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

// field holds a value where package fmt calls none of its methods.
type field[T any] struct{ value T }

// NotPrinted fails the test if value prints a secret: by any verb of package
// fmt, by slog or as JSON; alone, behind a pointer, or in the unexported fields
// of other values. A secret is also found in hexadecimal, base64 and the like.
func NotPrinted[T any](t testing.TB, value T, secrets ...string) {
	t.Helper()
	_ = time.Now().Year() // time.Local is filled at its first use; fmt reads it through pointers without that, beside other tests
	forms := map[string]string{}
	for _, s := range secrets {
		addForms(forms, s)
	}
	for name, v := range holders(value) {
		out := printed(v)
		for form, kind := range forms {
			if strings.Contains(out, form) {
				t.Errorf("%T prints a secret, %s, as %s", value, kind, name)
			}
		}
	}
}

// holders returns the value in all that may hold it.
func holders[T any](value T) map[string]any {
	inside := field[T]{value}
	return map[string]any{
		"the value":                    value,
		"a pointer":                    &value,
		"an exported field":            struct{ Value T }{value},
		"an exported pointer":          struct{ Value *T }{&value},
		"a slice":                      []T{value},
		"an array":                     [1]T{value},
		"a map":                        map[string]T{"key": value},
		"an unexported field":          inside,
		"a pointer to such a struct":   &inside,
		"such a field, reflected":      reflect.ValueOf(inside).Field(0),
		"an unexported pointer":        field[*T]{&value},
		"an unexported interface":      field[any]{value},
		"an unexported slice":          field[[]T]{[]T{value}},
		"an unexported slice of these": field[[]*T]{[]*T{&value}},
		"an unexported map":            field[map[string]T]{map[string]T{"key": value}},
		"a nested unexported field":    field[field[T]]{inside},
		"a nested unexported pointer":  field[*field[T]]{&inside},
		"a nested unexported slice":    field[[]field[T]]{[]field[T]{inside}},
		"a nested unexported map":      field[map[string]field[T]]{map[string]field[T]{"key": inside}},
	}
}

// printed returns v as everything prints it.
func printed(v any) string {
	var out strings.Builder
	for verb := 'A'; verb <= 'z'; verb++ {
		for _, flags := range []string{"", "+", "#", " ", "# ", "-30"} {
			fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", v)
		}
	}
	text, _ := json.Marshal(v)
	fmt.Fprintf(&out, "%s\n", text)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("printed", slog.Any("value", v))
	}
	return out.String()
}

// addForms adds what a secret looks like where it is printed.
func addForms(forms map[string]string, secret string) {
	for _, format := range []string{"%s", "%x", "%X", "% x", "%# x"} {
		forms[fmt.Sprintf(format, secret)] = format
	}
	for _, format := range []string{"%d", "%o", "%b", "%c", "%U"} {
		forms[strings.Trim(fmt.Sprintf(format, []byte(secret)), "[]")] = format
	}
	forms[strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(secret)), "[]byte{"), "}")] = "bytes"
	whole := secret[:len(secret)/3*3]
	forms[base64.StdEncoding.EncodeToString([]byte(whole))] = "base64"
	forms[base64.URLEncoding.EncodeToString([]byte(whole))] = "base64url"
}

// NotReachable fails the test if reflection reaches a secret from value, through
// pointers and unexported fields.
func NotReachable(t testing.TB, value any, secrets ...string) {
	t.Helper()
	d := dump{seen: map[reflect.Value]bool{}}
	d.value(reflect.ValueOf(value))
	for _, s := range secrets {
		if strings.Contains(d.out.String(), s) {
			t.Errorf("a secret can be reached from %T", value)
		}
	}
}

// dump collects the texts and bytes in a value.
type dump struct {
	out  strings.Builder
	seen map[reflect.Value]bool // pointers
}

func (d *dump) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		d.out.WriteString(v.String() + "\n")
	case reflect.Uint8:
		d.out.WriteByte(byte(v.Uint()))
	case reflect.Pointer:
		if !d.seen[v] {
			d.seen[v] = true
			d.value(v.Elem())
		}
	case reflect.Interface:
		d.value(v.Elem())
	case reflect.Struct:
		for _, f := range v.Fields() {
			d.value(f)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			d.value(v.Index(i))
		}
	case reflect.Map:
		for r := v.MapRange(); r.Next(); {
			d.value(r.Key())
			d.value(r.Value())
		}
	}
}
