package awstest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// A log group keeps its last lines, up to these bounds.
	maxGroupLines = 20_000
	maxGroupBytes = 8 << 20

	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
	maxLogBatch  = 1 << 20
	maxLogEvents = 10_000
	logOverhead  = 26 // bytes of each event
	oldestLog    = 14 * 24 * time.Hour
	newestLog    = 2 * time.Hour
)

// Logs is a CloudWatch Logs with the operations CreateLogStream, PutLogEvents, FilterLogEvents without a pattern, StartQuery,
// GetQueryResults and StopQuery.
// Of Logs Insights it knows the queries that internal/operator/logs makes. Make it with [NewLogs]. It is also the CloudWatch
// that has the metrics of the lines, with the operation GetMetricData.
//
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
type Logs struct {
	Keep func(group string, at time.Time, message string) // receives each line that is stored, as for Put; may be nil

	mu      sync.Mutex
	now     func() time.Time
	groups  map[string]*logGroup
	queries map[string]*logQuery
	metrics map[string]metric // by namespace and name
	started []string          // ids of queries, oldest first
	failed  *Error
}

type logGroup struct {
	lines   []logLine // in order of arrival
	bytes   int
	streams map[string]bool
}

type logLine struct {
	id      string // @ptr
	at      time.Time
	stream  string
	message string
}

// NewLogs returns a CloudWatch Logs with these groups. now is its clock; nil: time.Now.
func NewLogs(now func() time.Time, groups ...string) *Logs {
	if now == nil {
		now = time.Now
	}
	l := &Logs{now: now, groups: map[string]*logGroup{}, queries: map[string]*logQuery{}, metrics: map[string]metric{}}
	for _, name := range groups {
		l.groups[name] = &logGroup{streams: map[string]bool{}}
	}
	return l
}

// Put adds a line, as Lambda does with what a function writes, to a group, or to the streams of a function in it, which is
// named behind a colon. A group that does not exist is ignored.
func (l *Logs) Put(group string, at time.Time, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, function, _ := strings.Cut(group, ":")
	if g := l.groups[name]; g != nil {
		l.add(group, g, logLine{newID(), at, streamOf(function, at), message})
	}
}

// streamOf names a function's stream as Lambda does in a group that was made for it; in Lambda's own groups the function has
// no name there.
//
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
func streamOf(function string, at time.Time) string {
	return at.UTC().Format("2006/01/02/") + function + "[1]a1b2c3d4e5f60718293a4b5c6d7e8f90"
}

// Messages returns the lines of a group, or of a function's streams in it, in order of arrival.
func (l *Logs) Messages(group string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, function, _ := strings.Cut(group, ":")
	var all []string
	if g := l.groups[name]; g != nil {
		for _, line := range g.lines {
			if function == "" || line.stream == streamOf(function, line.at) {
				all = append(all, line.message)
			}
		}
	}
	return all
}

// Fail makes each call fail with the error until it is called with nil.
func (l *Logs) Fail(e *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = e
}

// add adds a line, and drops the oldest over the bounds. The caller has the lock.
func (l *Logs) add(name string, g *logGroup, line logLine) {
	if l.Keep != nil {
		l.Keep(name, line.at, line.message)
	}
	g.lines = append(g.lines, line)
	l.measure(line.message)
	g.bytes += len(line.message)
	drop := 0
	for len(g.lines)-drop > maxGroupLines || g.bytes > maxGroupBytes {
		g.bytes -= len(g.lines[drop].message)
		drop++
	}
	g.lines = slices.Delete(g.lines, 0, drop)
}

// ServeHTTP speaks AWS JSON 1.1.
func (l *Logs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const contentType = "application/x-amz-json-1.1"
	l.mu.Lock()
	failed := l.failed
	l.mu.Unlock()
	if failed != nil {
		writeError(w, contentType, failed)
		return
	}
	serve(w, r, contentType, func() error { return nil }, map[string]operation{
		"CreateLogStream": input(l.createLogStream),
		"PutLogEvents":    input(l.putLogEvents),
		"FilterLogEvents": input(l.filterLogEvents),
		"StartQuery":      input(l.startQuery),
		"GetQueryResults": input(l.getQueryResults),
		"StopQuery":       input(l.stopQuery),
	})
}

type logStream struct{ LogGroupName, LogStreamName string }

func (l *Logs) createLogStream(_ context.Context, _ *http.Request, in logStream) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[in.LogGroupName]
	switch {
	case in.LogStreamName == "" || len(in.LogStreamName) > 512:
		return nil, errorf("InvalidParameterException", "1 validation error detected: logStreamName")
	case g == nil:
		return nil, noGroup()
	case g.streams[in.LogStreamName]:
		return nil, errorf("ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	g.streams[in.LogStreamName] = true
	return struct{}{}, nil
}

func noGroup() error {
	return errorf("ResourceNotFoundException", "The specified log group does not exist.")
}

type logEvents struct {
	logStream
	LogEvents []struct {
		Timestamp int64
		Message   string
	}
}

func (l *Logs) putLogEvents(_ context.Context, _ *http.Request, in logEvents) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[in.LogGroupName]
	switch {
	case g == nil:
		return nil, noGroup()
	case !g.streams[in.LogStreamName]:
		return nil, errorf("ResourceNotFoundException", "The specified log stream does not exist.")
	case len(in.LogEvents) == 0 || len(in.LogEvents) > maxLogEvents:
		return nil, errorf("InvalidParameterException", "1 validation error detected: logEvents")
	}
	size, last := 0, int64(0)
	for _, e := range in.LogEvents {
		size += len(e.Message) + logOverhead
		if e.Message == "" || size > maxLogBatch {
			return nil, errorf("InvalidParameterException", "Log events must have a message, and a batch at most %d bytes", maxLogBatch)
		}
		if e.Timestamp < last {
			return nil, errorf("InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.")
		}
		last = e.Timestamp
	}
	return l.store(g, in), nil
}

// store stores what is neither too old nor too new, and returns the answer, which names the rest.
func (l *Logs) store(g *logGroup, in logEvents) any {
	now, rejected := l.now(), map[string]int{}
	for i, e := range in.LogEvents {
		switch at := time.UnixMilli(e.Timestamp); {
		case at.Before(now.Add(-oldestLog)):
			rejected["tooOldLogEventEndIndex"] = i + 1
		case at.After(now.Add(newestLog)):
			if _, ok := rejected["tooNewLogEventStartIndex"]; !ok {
				rejected["tooNewLogEventStartIndex"] = i
			}
		default:
			l.add(in.LogGroupName, g, logLine{newID(), at, in.LogStreamName, e.Message})
		}
	}
	out := map[string]any{}
	if len(rejected) > 0 {
		out["rejectedLogEventsInfo"] = rejected
	}
	return out
}
