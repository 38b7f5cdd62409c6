//go:build unix

package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/kit/invarianttest"
)

// has reports whether the company is one of the person's.
func (p *person) has(id int64) bool {
	return p != nil && slices.ContainsFunc(p.companies, func(c company) bool { return c.id == id })
}

// judgeConnections checks that the connections agree with the holders of their grants,
// and that what is not connected has a true reason. A grant that was restored from a
// backup has the holders of then.
func (v *verdict) judgeConnections(connections, grants []invariants.Item) {
	agree := func(row string) bool {
		return !slices.ContainsFunc(v.rows[row], func(w *write) bool { return w.restored })
	}
	var held []invariants.Item
	for _, g := range grants {
		if agree(text(g, "grant")) {
			held = append(held, g)
		}
	}
	var rows []invariants.Item
	for _, c := range connections {
		principal := text(c, "principal")
		if !strings.HasPrefix(principal, "user#") && principal != "app" {
			continue
		}
		if agree(environment + "#" + principal) {
			rows = append(rows, c)
		}
		v.judgeConnection(c)
	}
	for _, problem := range invarianttest.CheckHolders(rows, held) {
		v.add("", "%s", problem)
	}
}

func (v *verdict) judgeConnection(c invariants.Item) {
	id, _ := strconv.ParseInt(strings.TrimPrefix(text(c, "company"), environment+"#"), 10, 64)
	row, state := environment+"#"+text(c, "principal"), text(c, "state")
	v.connections.add(state)
	switch state {
	case "connected":
	case "disconnected":
		if !v.wasDisconnected(id, whole(c, "connected_at_ms"), whole(c, "reason_at")) {
			v.add(row, "company %d is disconnected, but no admin disconnected it since it was connected", id)
		}
	case "ended":
		if !slices.ContainsFunc(v.w.actions, func(a action) bool { return a.what == ended && a.row == row && a.company == id }) {
			v.add(row, "the connection of company %d has ended, but no one ended it", id)
		}
	default:
		v.add(row, "the connection of company %d is %q", id, state)
	}
}

// wasDisconnected reports whether the company was disconnected, if only for a moment,
// between these times: milliseconds, and seconds.
func (v *verdict) wasDisconnected(id, fromMS, to int64) bool {
	since, off := time.UnixMilli(fromMS), false
	for _, d := range v.w.actions {
		if d.company != id || d.at.After(time.Unix(to, 0).Add(2*time.Second)) {
			continue
		}
		switch d.what {
		case disconnected:
			off = true
		case reconnected:
			if d.at.Before(since) {
				off = false
			}
		}
	}
	return off
}

func whole(i invariants.Item, name string) int64 {
	n, _ := strconv.ParseInt(number(i, name), 10, 64)
	return n
}
