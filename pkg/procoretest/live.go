package procoretest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The most that the page shows of each log, and of one text in it.
const (
	shownHooks      = 50
	shownDeliveries = 25
	shownCalls      = 50
	shownTokens     = 50
	shownText       = 4_000
)

// live is the part of the page that changes without a click.
type live struct {
	Clock, Ahead string
	Troubles     []string
	Losing       bool
	Hooks        []hookView
	MoreHooks    int
	Deliveries   []deliveryView
	Calls        []callView
	Tokens       []tokenView
}

// hookView is a hook on the page.
type hookView struct {
	Hook
	State string // delivering, paused or disabled
}

// deliveryView is an attempt to deliver an event on the page.
type deliveryView struct {
	Delivery
	When    string
	Payload string
	Headers []string // names alone
}

type callView struct {
	Call
	Number int64
}

type tokenView struct {
	TokenEvent
	Number int64
}

// serveLive serves the live part of the page alone, which the page's script asks for.
func (s *Server) serveLive(w http.ResponseWriter, _ *http.Request) {
	s.render(w, http.StatusOK, "live", s.live())
}

func (s *Server) live() live {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := live{Clock: clockTime(s.now()), Troubles: s.troubles(), Losing: s.opts.LoseDeliveries > 0}
	if s.ahead > 0 {
		l.Ahead = s.ahead.String()
	}
	for _, h := range s.hooks[:min(len(s.hooks), shownHooks)] {
		l.Hooks = append(l.Hooks, hookView{h.state(), h.word()})
	}
	l.MoreHooks = len(s.hooks) - len(l.Hooks)
	l.Deliveries = s.latest()
	for i, c := range slices.Backward(s.calls) {
		if len(l.Calls) == shownCalls {
			break
		}
		l.Calls = append(l.Calls, callView{c, s.called + int64(i)})
	}
	for i, e := range slices.Backward(s.tokenLog) {
		if len(l.Tokens) == shownTokens {
			break
		}
		l.Tokens = append(l.Tokens, tokenView{e, s.tokenLogged + int64(i)})
	}
	return l
}

// latest returns the latest deliveries of all hooks, the newest first. The caller holds mu.
func (s *Server) latest() []deliveryView {
	var all []*Delivery
	of := map[int64]*hook{}
	for _, h := range s.hooks {
		of[h.id] = h
		all = append(all, h.deliveries[max(len(h.deliveries)-shownDeliveries, 0):]...)
	}
	slices.SortFunc(all, func(a, b *Delivery) int { return cmp.Compare(b.ID, a.ID) })
	var views []deliveryView
	for _, d := range all[:min(len(all), shownDeliveries)] {
		views = append(views, viewOf(of[d.HookID], d))
	}
	return views
}

// troubles describes what the fake has been told to do wrong. The caller holds mu.
func (s *Server) troubles() []string {
	var all []string
	for _, f := range s.faults[:min(len(s.faults), 10)] {
		what := f.Kind
		if f.Kind == Status {
			what = fmt.Sprintf("status %d", f.Status)
		}
		all = append(all, fmt.Sprintf("%s for the next %d requests to %s", what, f.Times, or(f.Endpoint, "any address")))
	}
	if lose := s.opts.LoseDeliveries; lose > 0 {
		all = append(all, fmt.Sprintf("%.0f %% of deliveries are lost", lose*100))
	}
	if s.plain.Crooked != "" {
		all = append(all, "crooked: "+s.plain.Crooked)
	}
	return all
}

// word names what the hook does.
func (h *hook) word() string {
	switch {
	case h.disabled:
		return "disabled"
	case !h.failingSince.IsZero():
		return "paused"
	}
	return "delivering"
}

func viewOf(h *hook, d *Delivery) deliveryView {
	v := deliveryView{Delivery: *d, Headers: []string{"Content-Type", "User-Agent"}}
	for name := range h.headers {
		v.Headers = append(v.Headers, name)
	}
	slices.Sort(v.Headers)
	if at, err := time.Parse(time.RFC3339, d.CompletedAt); err == nil {
		v.When = clockTime(at)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, d.Event, "", "  ") != nil {
		pretty.Write(d.Event)
	}
	v.Payload, v.ResponseBody = shown(pretty.String()), shown(d.ResponseBody)
	return v
}

// shown cuts a text to what the page shows.
func shown(text string) string {
	if len(text) > shownText {
		return strings.ToValidUTF8(text[:shownText], "") + fmt.Sprintf("\n... (%d bytes)", len(text))
	}
	return text
}

// clockTime formats a time of the fake's clock.
func clockTime(t time.Time) string { return t.UTC().Format("15:04:05") }
