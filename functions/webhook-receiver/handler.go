package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"procore-connect/internal/credential"
	"procore-connect/internal/gateway"
	"procore-connect/internal/inbox"
	"procore-connect/pkg/procore"
)

// answerWithin is how soon storage must have answered: Procore waits five
// seconds from connecting, and a 503 in time is better than its timeout.
const answerWithin = 3500 * time.Millisecond

// handler takes deliveries: authenticate, decode, one conditional write, 200.
//
// A 2xx means stored. An authenticated delivery that is not understood is kept
// aside and answered 200 too, since Procore would pause the hook on an error and
// hold up every later event. https://developers.procore.com/documentation/webhooks
type handler struct {
	ring func(ctx context.Context, reread bool) (*credential.Ring, error)
	box  *inbox.Box
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	from, err := h.authenticate(ctx, r.Header.Get("Authorization"))
	if errors.Is(err, credential.ErrRefused) || errors.Is(err, credential.ErrUnknownKey) {
		outcome(ctx, "refused", 0)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if err == nil {
		err = h.keep(ctx, from, r.Body)
	}
	if err != nil {
		outcome(ctx, "failed", from.CompanyID, slog.Any("error", err))
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// authenticate checks the credential; one of a key that is not known yet makes
// the secret be read again.
func (h *handler) authenticate(ctx context.Context, header string) (credential.Credential, error) {
	ring, err := h.ring(ctx, false)
	if err != nil {
		return credential.Credential{}, err
	}
	c, err := ring.Check(header)
	if !errors.Is(err, credential.ErrUnknownKey) {
		return c, err
	}
	if ring, err = h.ring(ctx, true); err != nil {
		return credential.Credential{}, err
	}
	return ring.Check(header)
}

// keep stores the delivery as an event, or aside.
func (h *handler) keep(ctx context.Context, from credential.Credential, r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	event, reason := read(body, from.CompanyID)
	if reason != "" {
		_, err := h.box.Aside(ctx, from.CompanyID, reason, body)
		if err == nil {
			outcome(ctx, "aside", from.CompanyID, slog.String("reason", reason))
		}
		return err
	}
	stored, err := h.box.Store(ctx, event, body)
	if err != nil {
		return err
	}
	word := "stored"
	if !stored {
		word = "duplicate"
	}
	outcome(ctx, word, event.CompanyID, slog.String("event_id", event.ID),
		slog.String("resource", event.Resource), slog.Bool("current_key", from.Current))
	return nil
}

// read decodes the event, or says why it goes aside.
func read(body []byte, company int64) (e procore.Event, reason string) {
	if len(body) > inbox.MaxBody {
		return e, "larger than 128 KB"
	}
	e, err := procore.DecodeEvent(body)
	if err != nil {
		return e, err.Error()
	}
	if e.CompanyID != company {
		return e, "of another company than the credential"
	}
	return e, ""
}

func outcome(ctx context.Context, word string, company int64, attrs ...slog.Attr) {
	gateway.Note(ctx, append(attrs, slog.String("outcome", word), slog.Int64("company_id", company))...)
}
