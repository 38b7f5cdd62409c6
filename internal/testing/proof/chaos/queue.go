//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/pkg/tokens"
)

// rescued is a pair that a process sent to the rescue queue.
type rescued struct {
	tokens.Rescued
	p  *process
	at time.Time
}

// awsFor returns Secrets Manager and SQS as one process sees them.
func (w *world) awsFor(p *process) http.Handler {
	services := &awstest.Services{}
	if p.operator != nil {
		services = p.operator
	}
	services.Secrets, services.Queues = w.secrets, w.queues
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		operation, isQueue := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
		if !isQueue {
			services.ServeHTTP(rw, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
		if err != nil || p.isCut(true) {
			abort(r)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		k := newHeldAnswer()
		services.ServeHTTP(k, r)
		switch {
		case !strings.HasPrefix(operation, "SendMessage") || k.status != http.StatusOK:
		case w.onSend != nil:
			w.onSend(bytes.Count(k.body.Bytes(), []byte(`"MessageId"`)))
		default:
			w.recordRescue(p, body)
		}
		if !w.calm.Load() && w.dice.oneIn(15*w.rare) {
			w.network.add("SQS answer lost")
			abort(r)
		}
		k.send(rw, false)
	})
}

// recordRescue records a rescued pair, and sometimes delivers it twice, as SQS may.
func (w *world) recordRescue(p *process, body []byte) {
	var in struct{ MessageBody string }
	if json.Unmarshal(body, &in) != nil {
		w.violation("%s: a message to the queue cannot be read", p.name)
		return
	}
	r, err := tokens.ParseRescued([]byte(in.MessageBody))
	if err != nil {
		w.violation("%s: %v", p.name, err)
		return
	}
	w.mu.Lock()
	w.rescues = append(w.rescues, rescued{r, p, time.Now()})
	w.mu.Unlock()
	if w.dice.oneIn(2) {
		return
	}
	w.background.Go(func() {
		w.wait(w.ctx, w.dice.between(0, 15*time.Second))
		w.network.add("rescued pair delivered twice")
		if _, _, err := w.rescue.Send(awstest.Message{Body: in.MessageBody}); err != nil {
			w.violation("the rescue queue: %v", err)
		}
	})
}
