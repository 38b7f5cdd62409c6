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

// rescued is a pair that a process gave to the rescue queue.
type rescued struct {
	tokens.Rescued
	p  *process
	at time.Time
}

// awsOf is Secrets Manager and SQS as one process sees them.
func (w *world) awsOf(p *process) http.Handler {
	services := &awstest.Services{Secrets: w.secrets, Queues: w.queues}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		op, isQueue := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
		if !isQueue {
			services.ServeHTTP(rw, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
		if err != nil || p.isCut(true) {
			abort(r)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		k := keep()
		services.ServeHTTP(k, r)
		switch {
		case op != "SendMessage" || k.status != http.StatusOK:
		case w.sent != nil:
			w.sent()
		default:
			w.rescueSent(p, body)
		}
		if !w.calm.Load() && w.dice.one(15*w.rare) {
			w.network.add("SQS answer lost")
			abort(r)
		}
		k.send(rw, false)
	})
}

// rescueSent notes a rescued pair, and lets it come twice at times, as SQS may.
func (w *world) rescueSent(p *process, body []byte) {
	var in struct{ MessageBody string }
	if json.Unmarshal(body, &in) != nil {
		w.fault("%s: a message to the queue cannot be read", p.name)
		return
	}
	r, err := tokens.ParseRescued([]byte(in.MessageBody))
	if err != nil {
		w.fault("%s: %v", p.name, err)
		return
	}
	w.mu.Lock()
	w.rescues = append(w.rescues, rescued{r, p, time.Now()})
	w.mu.Unlock()
	if w.dice.one(2) {
		return
	}
	w.background.Go(func() {
		w.wait(w.ctx, w.dice.between(0, 15*time.Second))
		w.network.add("rescued pair delivered twice")
		if _, _, err := w.rescue.Send(awstest.Message{Body: in.MessageBody}); err != nil {
			w.fault("the rescue queue: %v", err)
		}
	})
}
