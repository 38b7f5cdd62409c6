package crash

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/pkg/procore"
)

// receive is the webhook receiver.
func (m *machine) receive(w http.ResponseWriter, r *http.Request) {
	event, err := m.stored(r)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	m.seen.acknowledged(event)
	m.stats.count("events answered 200")
}

func (m *machine) stored(r *http.Request) (procore.Event, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return procore.Event{}, err
	}
	ring, err := m.ring.Get(m.ctx)
	if err != nil {
		return procore.Event{}, err
	}
	from, err := ring.Check(r.Header.Get("Authorization"))
	if err != nil {
		m.t.Errorf("seed %d, start %d: a delivery is refused: %v", m.seed, m.starts, err)
		return procore.Event{}, err
	}
	event, err := procore.DecodeEvent(body)
	if err != nil || event.CompanyID != from.CompanyID {
		m.t.Errorf("seed %d, start %d: a delivery to company %d is wrong: %v", m.seed, m.starts, from.CompanyID, err)
		return event, errors.New("wrong")
	}
	_, err = m.inbox.Add(m.ctx, event, body)
	return event, err
}

// function is a Lambda function in this process.
type function func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke implements streamtest.Function.
func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

// lambda returns the function of a handler.
func lambda[In, Out any](handle func(context.Context, In) (Out, error)) function {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var in In
		if err := json.Unmarshal(payload, &in); err != nil {
			return nil, err
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

// consume handles events: it reads the resource.
func (m *machine) consume(ctx context.Context, in events.SQSEvent) (out events.SQSEventResponse, err error) {
	for _, r := range in.Records {
		var e procore.Event
		if err := json.Unmarshal([]byte(r.Body), &e); err != nil {
			return out, err
		}
		m.seen.consumed(e.ID)
		if c, err := m.store.ForCompany(ctx, e.CompanyID); err == nil {
			_, _ = m.store.Client(c.Key).Read(ctx, e) // it may be disconnected
		}
		m.seen.deleting(r.MessageId)
		m.stats.count("events consumed")
	}
	return out, nil
}
