package system

import (
	"fmt"
	"testing"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/pkg/procoretest"
)

// A window that is opened while a hook fails is found, unless that began just now or long ago.
func TestWindows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		failing time.Duration // before the window was opened
		hook    procoretest.Hook
		want    bool
	}{
		{"an hour", time.Hour, procoretest.Hook{ID: 1, Paused: true, Waiting: 1}, true},
		{"since the calls before", time.Minute, procoretest.Hook{ID: 1, Paused: true, Waiting: 1}, false},
		{"half a day", 12 * time.Hour, procoretest.Hook{ID: 1, Paused: true, Waiting: 1}, false},
		{"a hook that works", time.Hour, procoretest.Hook{ID: 1}, false},
		{"another's attempts", time.Hour, procoretest.Hook{ID: 2, Paused: true, Waiting: 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial()
			attempt := func(before time.Duration, outcome string) procoretest.Delivery {
				return procoretest.Delivery{HookID: 1, StartedAt: tr.at.Add(-before).Format(time.RFC3339Nano), Outcome: outcome}
			}
			newWindows(tr.court).judge(5, tr.at, tt.hook, []procoretest.Delivery{
				attempt(20*time.Hour, procoretest.OutcomeFailed), attempt(19*time.Hour, procoretest.OutcomeOK),
				attempt(tt.failing, procoretest.OutcomeFailed), attempt(tt.failing/2, procoretest.OutcomeFailed),
			})
			if found := len(tr.found) > 0; found != tt.want {
				t.Errorf("found %q, want %t", tr.found, tt.want)
			}
		})
	}
}

// A window is opened when the end of one is later than that of the row before.
func TestOpened(t *testing.T) {
	t.Parallel()
	tr := newTrial()
	w := newWindows(tr.court)
	row := func(from, to time.Duration) invariants.Item {
		at := func(d time.Duration) invariants.Attribute {
			text := fmt.Sprint(tr.at.Add(d).UnixMilli())
			return invariants.Attribute{N: &text}
		}
		cursor := invariants.Item{"from_ms": at(from)}
		if to != 0 {
			cursor["to_ms"] = at(to)
		}
		return invariants.Item{"cursors": {L: []invariants.Attribute{{M: cursor}}}}
	}
	for i, tt := range []struct {
		row  invariants.Item
		want bool
	}{
		{row(0, 0), false}, {row(0, 0), false}, {row(0, time.Hour), true},
		{row(time.Hour, 0), false}, {row(2*time.Hour, 0), true}, {row(0, 0), false},
		{invariants.Item{}, false}, {row(3*time.Hour, 0), false}, {row(3*time.Hour, 4*time.Hour), true},
	} {
		if at := w.opened(5, tt.row); at.IsZero() == tt.want {
			t.Errorf("row %d: opened at %v, want a time: %t", i, at, tt.want)
		}
	}
}
