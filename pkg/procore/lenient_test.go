package procore

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type odd struct {
	ID     int64     `json:"id"`
	Name   string    `json:"name"`
	Active bool      `json:"active"`
	Open   *bool     `json:"open"`
	At     time.Time `json:"at"`
	Share  float64   `json:"share"`
	Kind   EventType `json:"kind"`
	Tags   []string  `json:"tags"`
	Within *odd      `json:"within"`
	Raw    json.RawMessage
	Extra  map[string]int64 `json:"extra"`
	Hidden string           `json:"-"`
}

// A fork's own struct may embed one of this package's, or a pointer to one.
type embedding struct {
	RFI
	*Part
	Floor ID `json:"floor_id"`
}

type Part struct {
	Number int64 `json:"number"`
}

func TestUnmarshalEmbedded(t *testing.T) {
	t.Parallel()
	var got embedding
	odd, err := Unmarshal([]byte(`{"id":"7","subject":"s","updated_at":"soon","number":"3","floor_id":"01KP6C2VB5SNYAE2N0FMWSXNVE"}`), &got)
	want := embedding{RFI{ID: 7, Subject: "s"}, &Part{3}, "01KP6C2VB5SNYAE2N0FMWSXNVE"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || strings.Join(odd, " ") != "updated_at" {
		t.Errorf("odd %q, %v (-want +got):\n%s", odd, err, diff)
	}
	var strict embedding
	if err := json.Unmarshal([]byte(`{"id":7,"subject":"s","number":3,"floor_id":1}`), &strict); err != nil || strict.ID != 7 || strict.Number != 3 || strict.Floor != "1" {
		t.Errorf("encoding/json: got %+v, %v", strict, err)
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	yes, at := true, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range map[string]struct {
		text string
		want odd
		odd  string // the odd parts
	}{
		"plain": {`{"id":1,"name":"a","active":true,"open":true,"at":"2026-01-02T03:04:05Z","share":0.5,"kind":"CREATED","tags":["x"],"Raw":{"y":1},"extra":{"z":3}}`,
			odd{ID: 1, Name: "a", Active: true, Open: &yes, At: at, Share: 0.5, Kind: "create", Tags: []string{"x"}, Raw: json.RawMessage(`{"y":1}`), Extra: map[string]int64{"z": 3}}, ""},
		"absent":          {`{}`, odd{}, ""},
		"null":            {`{"id":null,"name":null,"active":null,"open":null,"at":null,"tags":null,"within":null}`, odd{}, ""},
		"byte order mark": {"\xef\xbb\xbf" + `{"id":1}`, odd{ID: 1}, ""},
		"as texts":        {`{"id":"9007199254740993","active":"true","share":"0.5","at":"2026-01-02"}`, odd{ID: 9007199254740993, Active: true, Share: 0.5, At: at.Truncate(24 * time.Hour)}, ""},
		"as numbers":      {`{"id":5.0,"name":12,"active":1}`, odd{ID: 5, Name: "12", Active: true}, ""},
		"an exponent":     {`{"id":1e3}`, odd{ID: 1000}, ""},
		"letter case":     {`{"ID":7,"Name":"a"}`, odd{ID: 7, Name: "a"}, ""},
		"empty time":      {`{"at":""}`, odd{}, ""},
		"no zone":         {`{"at":"2026-01-02 03:04:05"}`, odd{At: at}, ""},
		"odd number":      {`{"id":{},"name":"a"}`, odd{Name: "a"}, "id"},
		"a fraction":      {`{"id":1.5}`, odd{}, "id"},
		"a ratio":         {`{"id":"4/2"}`, odd{}, "id"},
		"too large":       {`{"id":92233720368547758070}`, odd{}, "id"},
		"a huge exponent": {`{"id":"1e999999999999999999999999999999999999"}`, odd{}, "id"},
		"a huge value":    {`{"id":1e999999999}`, odd{}, "id"},
		"hexadecimal":     {`{"id":"0x1p999999999","share":"inf"}`, odd{}, "id share"},
		"seconds":         {`{"at":1767323045}`, odd{At: at}, ""},
		"odd name":        {`{"id":1,"name":{"en":"a"}}`, odd{ID: 1}, "name"},
		"odd time":        {`{"id":1,"at":"soon"}`, odd{ID: 1}, "at"},
		"odd boolean":     {`{"active":"maybe"}`, odd{}, "active"},
		"odd type":        {`{"kind":3,"id":1}`, odd{ID: 1}, "kind"},
		"odd list":        {`{"tags":"x","id":1}`, odd{ID: 1}, "tags"},
		"odd item":        {`{"tags":["x",{},null,"y",3]}`, odd{Tags: []string{"x", "y", "3"}}, "tags[] tags[]"},
		"odd within":      {`{"within":{"id":"x","name":"b"}}`, odd{Within: &odd{Name: "b"}}, "within.id"},
		"not an object":   {`{"within":[],"id":1}`, odd{ID: 1}, "within"},
		"odd extra":       {`{"extra":{"a":"x","b":2}}`, odd{Extra: map[string]int64{"b": 2}}, "extra.*"},
		"hidden":          {`{"-":"x","Hidden":"x"}`, odd{}, ""},
	} {
		var got odd
		odds, err := Unmarshal([]byte(tt.text), &got)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil || strings.Join(odds, " ") != tt.odd {
			t.Errorf("%s: odd %q, %v (-want +got):\n%s", name, odds, err, diff)
		}
	}
}

// One odd item never costs its list.
func TestUnmarshalList(t *testing.T) {
	t.Parallel()
	var got []odd
	odds, err := Unmarshal([]byte(`[{"id":1},null,"x",{"id":"y"},[],{"id":2}]`), &got)
	if diff := cmp.Diff([]odd{{ID: 1}, {}, {ID: 2}}, got); diff != "" || err != nil || len(odds) != 4 {
		t.Errorf("odd %q, %v (-want +got):\n%s", odds, err, diff)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "<html>", `{"id":1`, `{"id":1}{`, "[]", `"x"`, "3"} {
		var one odd
		if _, err := Unmarshal([]byte(text), &one); err == nil {
			t.Errorf("%q: no error", text)
		}
		var list []odd
		if _, err := Unmarshal([]byte(text), &list); err == nil && text != "[]" {
			t.Errorf("%q as a list: no error", text)
		}
	}
	deep := strings.Repeat(`{"within":`, 9_000) + `{}` + strings.Repeat(`}`, 9_000)
	var within odd
	if odds, err := Unmarshal([]byte(deep), &within); err == nil && len(odds) != 1 {
		t.Errorf("nested deeply: odd %q, %v", odds, err)
	}
	many := `[` + strings.Repeat(`{"id":"x"},`, 10_000) + `{}]`
	var list []odd
	if odds, err := Unmarshal([]byte(many), &list); err != nil || len(list) != 10_001 || len(odds) != maxOdd {
		t.Errorf("%d items, %d odd ones, %v; want all items, and %d odd ones", len(list), len(odds), err, maxOdd)
	}
}
