package week

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"procore-connect/internal/webhook/reconcile"
	"procore-connect/pkg/procore"
)

// item is one thing at Procore.
type item struct {
	company  int64
	resource string
	id       procore.ID
}

// stored is an event that a consumer sees.
type stored struct {
	at, happened time.Time
	reconciled   bool
}

// judge records what happens, and judges it.
type judge struct {
	w *world

	mu       sync.Mutex
	changes  map[item][]time.Time
	events   map[item][]stored
	position uint64       // in the stream of the inbox
	calls    map[hour]int // of the reconciler
	limited  int          // calls that were answered 429
	lags     []lag
	killed   int
	errors   map[string]int // of runs
	last     error          // of the reconciler
	problems []string
}

func newJudge(w *world) *judge {
	return &judge{w: w, changes: map[item][]time.Time{}, events: map[item][]stored{}, calls: map[hour]int{}, errors: map[string]int{}}
}

// hour is an hour of a company's calls, or of all for company 0.
type hour struct {
	at      time.Time
	company int64
}

// lag is what a run reported.
type lag struct {
	at time.Time
	d  time.Duration
}

func (j *judge) problem(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.problems) < 30 {
		j.problems = append(j.problems, fmt.Sprintf(format, args...))
	}
}

func (j *judge) changed(i item, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes[i] = append(j.changes[i], at)
}

// called counts a call of the reconciler to the API, in the hour in which it began.
func (j *judge) called(r *http.Request, began time.Time, status int) {
	if !strings.HasPrefix(r.URL.Path, "/rest/") {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	company, _ := strconv.ParseInt(r.Header.Get("Procore-Company-Id"), 10, 64)
	began = began.Truncate(time.Hour)
	j.calls[hour{began, company}]++
	j.calls[hour{began, 0}]++
	if status == http.StatusTooManyRequests {
		j.limited++
	}
}

// failed counts an error of a run.
func (j *judge) failed(what string, err error) {
	if err == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.errors[fmt.Sprintf("%s: %.300v", what, err)]++
}

// ran records the report of a run that was not killed.
func (j *judge) ran(r reconcile.Report, err error) {
	j.failed("reconciler", err)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last = err
	j.lags = append(j.lags, lag{time.Now(), r.Lag})
}

// over is a context that does not wait.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// read reads the events that were stored since the last time.
func (j *judge) read() {
	records, err := j.w.dynamo.Feed(over, j.w.names.Inbox, j.position)
	if err != nil {
		return // there is none
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range records {
		j.position = r.Sequence
		var image struct{ Envelope struct{ S string } }
		if err := json.Unmarshal(r.NewImage, &image); err != nil || image.Envelope.S == "" {
			continue // a heartbeat, or quarantine
		}
		e, err := procore.ParseEvent([]byte(image.Envelope.S))
		if err != nil {
			j.problems = append(j.problems, "an event that cannot be read: "+err.Error())
			continue
		}
		i := item{e.CompanyID, e.Resource, e.ResourceID}
		j.events[i] = append(j.events[i], stored{r.At, e.Timestamp.Truncate(time.Millisecond), e.Reconciled})
	}
}
