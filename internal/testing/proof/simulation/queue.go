package simulation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/testing/fake/awstest"
)

// A queue may refuse a part of a request.
const (
	RefusesFirst Fault = "refusesFirst" // the first message is not accepted
	RefusesLast  Fault = "refusesLast"  // the last one is not
	RefusesOdd   Fault = "refusesOdd"   // every other one is not
)

// Queue is a FIFO queue of a world. Each request of an actor passes a gate, where it may
// fail, be late, or be accepted in part.
type Queue struct {
	// Accepted are the messages in the order in which the queue accepted them, including
	// those that it drops because it received them within five minutes.
	Accepted []awstest.Message

	world    *World
	queues   *awstest.Queues
	fault    Fault // of the request that is served
	place    int   // of the message in it
	messages int   // of it
}

// NewQueue makes a queue.
func NewQueue(w *World) *Queue {
	q := &Queue{world: w, queues: awstest.NewQueues()}
	q.queues.Refuse = q.refuse
	if _, err := q.queues.Create("events.fifo", awstest.QueueOptions{GroupDedup: true}); err != nil {
		panic(err)
	}
	return q
}

// URL returns the queue's address.
func (q *Queue) URL() string { return awstest.QueueURL("http://sqs", "events.fifo") }

// Client returns the client by which all processes reach the queue.
func (q *Queue) Client() *sqs.Client {
	endpoint := "http://sqs"
	return sqs.New(sqs.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: q, Credentials: aws.AnonymousCredentials{},
	})
}

// Do does one request.
func (q *Queue) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	name := "sends " + strings.Join(groups(body), " ")
	f := Gate(r.Context(), name, Refused, RefusesFirst, RefusesLast, RefusesOdd, Lost, Late, Crash, CrashAfter)
	if err := r.Context().Err(); err != nil && f != Lost && f != Late {
		return nil, err // it was not sent any more
	}
	switch f {
	case Refused:
		return response(http.StatusServiceUnavailable, []byte(`{"__type":"ServiceUnavailable","message":"as the schedule requires"}`)), nil
	case Late:
		q.world.late = append(q.world.late, operation{name, func() { q.serve(r, body, Fine) }}) //nolint:bodyclose // it is in memory
		return nil, errWire
	}
	answer := q.serve(r, body, f)
	if f == CrashAfter {
		die(r.Context())
	}
	if f == Lost || r.Context().Err() != nil {
		return nil, errors.Join(errWire, r.Context().Err())
	}
	return answer, nil
}

// serve passes a request to the queue.
func (q *Queue) serve(r *http.Request, body []byte, f Fault) *http.Response {
	q.fault, q.place, q.messages = f, 0, len(groups(body))
	again := r.Clone(q.world.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	q.queues.ServeHTTP(w, again)
	return response(w.status, w.body.Bytes())
}

// refuse decides about one message of the request that is served.
func (q *Queue) refuse(_ string, m awstest.Message) error {
	q.place++
	if q.fault == RefusesFirst && q.place == 1 || q.fault == RefusesOdd && q.place%2 == 1 || q.fault == RefusesLast && q.place == q.messages {
		return &awstest.Error{Code: "RequestThrottled", Message: "as the schedule requires"}
	}
	q.Accepted = append(q.Accepted, m)
	return nil
}

// groups returns the groups of a request's messages.
func groups(body []byte) (all []string) {
	var in struct {
		Entries []struct {
			Group string `json:"MessageGroupId"`
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		panic(err)
	}
	for _, e := range in.Entries {
		all = append(all, e.Group)
	}
	return all
}
