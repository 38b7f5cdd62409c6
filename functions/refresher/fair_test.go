package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

func TestFair(t *testing.T) {
	t.Parallel()
	bad := errors.New("a row that cannot be read")
	for _, tt := range []struct{ list, want string }{
		{"", ""},
		{"a1 a2 b1", "a1 a2 b1"},
		{"a1 a2 a3 b1 a4 c1", "a1 a2 b1 c1 a3 a4"},
		{"a1 a2 a3 ! b1", "a1 a2 ! b1 a3"},
	} {
		list := func(yield func(tokens.Key, error) bool) {
			for word := range strings.FieldsSeq(tt.list) {
				key, err := tokens.Key{CompanyID: int64(word[0]), Principal: tokens.Principal(word)}, error(nil)
				if word == "!" {
					key, err = tokens.Key{}, bad
				}
				if !yield(key, err) {
					return
				}
			}
		}
		var got []string
		for key, err := range fair(list, 2) {
			if err != nil {
				key.Principal = "!"
			}
			got = append(got, string(key.Principal))
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.list, got, tt.want)
		}
		for range fair(list, 2) { // the loop may end early
			break
		}
	}
}

// A company with more connections than a run can refresh does not delay another
// company's, even in the same shard.
func TestLargeCompany(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	large := int64(700)
	if err := r.Procore.AddCompany(procoretest.NewCompany(large, "A Large One")); err != nil {
		t.Fatal(err)
	}
	for i := range int64(2 * share) {
		user := procoretest.User{ID: 10_000 + i, Name: fmt.Sprintf("Worker %d", i)}
		if err := r.Procore.AddUser(user); err != nil {
			t.Fatal(err)
		}
		r.Connect(large, user.ID, tokens.WebhooksOff)
	}
	r.Clock.Advance(time.Second) // the other tokens expire later
	var others []tokens.Connection
	for i := range int64(2 * tokens.Shards) {
		id := 800 + i
		if err := r.Procore.AddCompany(procoretest.NewCompany(id, "A Small One", procoretest.Max)); err != nil {
			t.Fatal(err)
		}
		others = append(others, r.Connect(id, procoretest.Max, tokens.WebhooksOff))
	}
	r.Clock.Advance(80 * time.Minute)
	var order []int64
	for key, err := range r.h.due(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, key.CompanyID)
	}
	if got, want := len(order), 2*share+len(others); got != want {
		t.Fatalf("got %d connections, want %d", got, want)
	}
	for _, id := range order[share+len(others):] {
		if id != large {
			t.Errorf("company %d comes after the large one's share", id)
		}
	}
}
