//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"procore-connect/internal/testing/proof/invariants"
)

// ledger is what the fake Procore was told of its deliveries, and what consumers
// said that they handled.
type ledger struct {
	mu      *sync.Mutex
	events  map[eventKey]*fate
	queued  map[int64]int // deliveries of a company that were begun
	done    map[int64]int // and that got their 200
	acks    int           // events with a 200
	reached int           // events that a consumer handled
	sent    int           // messages that the queue took
	answers counter
}

type eventKey struct {
	company int64
	id      string
}

// fate is what became of an event.
type fate struct {
	resource string // "" until it is known that the fake made it
	acks     int
	first    int         // its first 200, among all
	at       time.Time   // when that was
	handled  []time.Time // by the consumers' clock, which is this machine's
	stored   bool        // DynamoDB said so to somebody
	early    bool        // it was answered with 200 before
	inbox    int         // items
}

func newLedger() ledger {
	return ledger{mu: new(sync.Mutex), events: map[eventKey]*fate{}, queued: map[int64]int{}, done: map[int64]int{}}
}

// of finds an event. The caller holds mu.
func (l *ledger) of(k eventKey) *fate {
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
	l.of(eventKey{company, id}).resource = resource
	l.queued[company] += copies
}

// waiting is about how many deliveries of a company are not done.
func (l *ledger) waiting(company int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queued[company] - l.done[company]
}

func (l *ledger) took() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
}

// behind is how many events are on their way from the inbox to a consumer.
func (l *ledger) behind() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acks - l.reached
}

// open says how many events wait for their first 200, and how many for a consumer.
func (l *ledger) open() (unanswered, unhandled int) {
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

// delivery is what tells an event from others, in all payload versions.
type delivery struct {
	ID      json.RawMessage `json:"id"`
	Company json.RawMessage `json:"company_id"`
}

func (v delivery) key() eventKey {
	company, _ := strconv.ParseInt(strings.Trim(string(v.Company), `"`), 10, 64)
	return eventKey{company, strings.Trim(string(v.ID), `"`)}
}

// recorded is the way of the fake's deliveries to the front, with a record of
// the answers. Some answers are lost on their way to the fake, which tries again.
func (d *deliveries) recorded(front http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var v delivery
		if err == nil {
			err = json.Unmarshal(body, &v)
		}
		if err != nil {
			d.w.fault("a delivery cannot be read: %v", err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		k := keep()
		front.ServeHTTP(k, r)
		lost := !d.w.calm.Load() && d.w.dice.one(10*rarer)
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
	f := l.of(key)
	f.early = f.early || !f.stored
	if f.acks++; f.acks == 1 {
		l.acks++
		f.first, f.at = l.acks, time.Now()
	}
	if !lost {
		l.done[key.company]++
	}
}

// wrote notes that an event is in the table, by the answer to its write.
func (d *deliveries) wrote(body []byte, answer *kept) {
	var in struct {
		TableName string
		Item      invariants.Item
	}
	if json.Unmarshal(body, &in) != nil || in.TableName != d.w.names.Inbox {
		return
	}
	if answer.status != http.StatusOK && !bytes.Contains(answer.body.Bytes(), []byte("ConditionalCheckFailedException")) {
		return
	}
	company, _ := strconv.ParseInt(text(in.Item, "company_id"), 10, 64)
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	d.ledger.of(eventKey{company, text(in.Item, "event_id")}).stored = true
}

// noticed takes what a process logs.
func (d *deliveries) noticed(p *process, e logEntry) {
	switch {
	case strings.HasPrefix(e.Message, "pipe: event") && strings.Contains(e.Message, "is lost"), strings.Contains(e.Message, "events are lost"):
		d.w.fault("%s: %s", p.name, e.Message)
	case strings.HasPrefix(e.Message, "pipe: "):
		d.broken.add("the pipe had to wait")
	case e.Message == "event handled", e.Message == "own change skipped":
		d.ledger.mu.Lock()
		defer d.ledger.mu.Unlock()
		f := d.ledger.of(eventKey{e.Company, e.EventID})
		if f.handled = append(f.handled, e.Time); len(f.handled) == 1 {
			d.ledger.reached++
		}
	}
}
