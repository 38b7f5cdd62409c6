//go:build unix

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"procore-connect/internal/invariants"
)

// ledger records the answers to the fake Procore's deliveries, and the events that the
// consumers have handled.
type ledger struct {
	mu      *sync.Mutex
	events  map[eventKey]*fate
	queued  map[int64]int // started deliveries of a company
	done    map[int64]int // of these, answered with 200
	acks    int           // events answered with 200
	reached int           // events that a consumer handled
	sent    int           // messages that the queue accepted
	answers counter
}

type eventKey struct {
	company int64
	id      string
}

// fate is what happened to an event.
type fate struct {
	resource string // "" until the fake is known to have made it
	acks     int
	first    int         // position of its first 200 among all first ones
	at       time.Time   // of the first 200
	handled  []time.Time // by the consumers' clock, which is this machine's
	stored   bool        // DynamoDB has confirmed it to a process
	early    bool        // it was answered with 200 before it was stored
	inbox    int         // items in the inbox
}

func newLedger() ledger {
	return ledger{mu: new(sync.Mutex), events: map[eventKey]*fate{}, queued: map[int64]int{}, done: map[int64]int{}}
}

// event returns an event's fate. The caller holds mu.
func (l *ledger) event(k eventKey) *fate {
	f := l.events[k]
	if f == nil {
		f = &fate{}
		l.events[k] = f
	}
	return f
}

func (l *ledger) emitted(company int64, id, resource string, copies int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.event(eventKey{company, id}).resource = resource
	l.queued[company] += copies
}

// waiting returns roughly how many deliveries of a company are not done.
func (l *ledger) waiting(company int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queued[company] - l.done[company]
}

func (l *ledger) recordSent(messages int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent += messages
}

// behind returns how many events are on their way from the inbox to a consumer.
func (l *ledger) behind() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acks - l.reached
}

// pending returns how many events wait for their first 200, and how many for a consumer.
func (l *ledger) pending() (unanswered, unhandled int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.events {
		if f.acks == 0 {
			unanswered++
		}
		if len(f.handled) == 0 {
			unhandled++
		}
	}
	return unanswered, unhandled
}

// delivery has the fields that identify an event in all payload versions.
type delivery struct {
	ID      json.RawMessage `json:"id"`
	ULID    string          `json:"ulid"`
	Company json.RawMessage `json:"company_id"`
}

func (v delivery) key() eventKey {
	company, _ := strconv.ParseInt(strings.Trim(string(v.Company), `"`), 10, 64)
	return eventKey{company, cmp.Or(v.ULID, strings.Trim(string(v.ID), `"`))}
}

// recordAnswers passes the fake's deliveries to the front and records the answers. Some
// answers are lost on their way to the fake, which then retries.
func (d *deliveries) recordAnswers(front http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var v delivery
		if err == nil {
			err = json.Unmarshal(body, &v)
		}
		if err != nil {
			d.w.violation("a delivery cannot be read: %v", err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		k := newHeldAnswer()
		front.ServeHTTP(k, r)
		lost := !d.w.calm.Load() && d.w.dice.oneIn(10*rarity)
		d.ledger.answered(v.key(), k.status, lost)
		if lost {
			d.w.network.add("answer to Procore lost")
			abort(r)
		}
		k.send(w, false)
	})
}

func (l *ledger) answered(key eventKey, status int, lost bool) {
	l.answers.add(strconv.Itoa(status))
	if status < 200 || status > 299 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.event(key)
	f.early = f.early || !f.stored
	if f.acks++; f.acks == 1 {
		l.acks++
		f.first, f.at = l.acks, time.Now()
	}
	if !lost {
		l.done[key.company]++
	}
}

// recordPut records that an event is in the table, according to the answer to its write.
func (d *deliveries) recordPut(body []byte, answer *heldAnswer) {
	var in struct {
		TableName string
		Item      invariants.Item
	}
	if json.Unmarshal(body, &in) != nil || in.TableName != d.w.names.Inbox || text(in.Item, "envelope") == "" {
		return
	}
	if answer.status != http.StatusOK && !bytes.Contains(answer.body.Bytes(), []byte("ConditionalCheckFailedException")) {
		return
	}
	company, _ := strconv.ParseInt(text(in.Item, "company_id"), 10, 64)
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	d.ledger.event(eventKey{company, text(in.Item, "event_id")}).stored = true
}

// recordLog records what a process logs about events.
func (d *deliveries) recordLog(p *process, e logEntry) {
	switch {
	case e.Message == "undeliverable event skipped":
		d.w.violation("%s: %s", p.name, e.Message)
	case strings.HasSuffix(e.Message, "not sent, will be repeated"):
		d.trouble.add("the queue refused events")
	case e.Message == "handled":
		d.ledger.mu.Lock()
		defer d.ledger.mu.Unlock()
		f := d.ledger.event(eventKey{e.Company, e.EventID})
		if f.handled = append(f.handled, e.Time); len(f.handled) == 1 {
			d.ledger.reached++
		}
	}
}
