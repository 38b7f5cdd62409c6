package handler

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/platform/logging"
	"procore-connect/internal/platform/secrets"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// answerWithin is how long storage may take. Procore waits five seconds from
// connecting, and a 503 in time is better than a timeout.
const answerWithin = 3500 * time.Millisecond

// maxRingAge is up to which age of the ring no delivery waits for it to be read again. A
// sandbox that was idle may accept a retired credential for as long. After an hour without
// a delivery Lambda has usually ended the sandbox, and a new one reads the ring at its start.
const maxRingAge = time.Hour

// handler receives deliveries: authenticate, decode, one conditional write, 200.
//
// A 2xx means stored. An authenticated delivery that is not understood is
// quarantined and answered 200 too, because Procore would pause the hook on an
// error and hold up every later event.
// https://developers.procore.com/documentation/webhooks
type handler struct {
	ring  keys.Source[*credential.Ring]
	inbox *inbox.Store
}

// receive returns the handler, whose deliveries do not wait for the ring to be read again.
func receive(ring *secrets.Secret[*credential.Ring], events *inbox.Store) *handler {
	ring.MaxStale = maxRingAge
	return &handler{ring: ring, inbox: events}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	switch r.Method {
	case http.MethodPost:
	case http.MethodHead: // Procore may probe the address before it accepts a hook
		return
	default:
		w.Header().Set("Allow", "HEAD, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	header := r.Header.Get("Authorization")
	from, err := h.authenticate(ctx, header)
	if err == nil {
		note(ctx, slog.String("key_id", from.KeyID), slog.Bool("current_key", from.Current), companyID(from.CompanyID))
		err = h.store(ctx, from.CompanyID, r.Body)
	}
	w.WriteHeader(status(ctx, header, err))
}

// status returns the answer to a delivery, and notes the outcome of one that is not
// stored. The answer never reveals why a credential is refused. The log distinguishes
// our values, such as a retired one, from those of unknown senders.
func status(ctx context.Context, header string, err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, credential.ErrMalformed):
		note(ctx, outcome("rejected"), slog.String("reason", "malformed"))
		return http.StatusUnauthorized
	case errors.Is(err, credential.ErrRefused):
		note(ctx, outcome("rejected"), slog.String("reason", "forged or retired"), claimed(header))
		return http.StatusUnauthorized
	case errors.Is(err, keys.ErrUnknown):
		note(ctx, outcome("rejected"), slog.String("reason", "unknown key"), claimed(header))
		return http.StatusUnauthorized
	}
	note(ctx, outcome("failed"), slog.Any("error", err))
	return http.StatusServiceUnavailable
}

// authenticate checks the credential. If its key is unknown, the secret is read
// again.
func (h *handler) authenticate(ctx context.Context, header string) (credential.Credential, error) {
	return keys.Use(ctx, h.ring, func(ring *credential.Ring) (credential.Credential, error) { return ring.Check(header) })
}

// store stores the delivery as an event, or quarantines it.
func (h *handler) store(ctx context.Context, company int64, r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	body, reason := unpack(body)
	var event procore.Event
	if reason == "" {
		event, reason = read(body, company)
	}
	var o inbox.Outcome
	if reason != "" {
		o, err = h.inbox.Quarantine(ctx, company, reason, body)
	} else {
		ctx = logging.WithEvent(ctx, event.ID)
		note(ctx, slog.String("event_id", logging.Short(event.ID)), slog.String("resource", logging.Short(event.Resource)))
		if len(event.Odd) > 0 {
			note(ctx, slog.Int("odd_fields", len(event.Odd)), slog.String("odd", strings.Join(event.Odd, " ")))
		}
		o, err = h.inbox.Add(ctx, event, body)
	}
	if err != nil {
		return err
	}
	note(ctx, outcome(string(o.Word)), slog.Bool("new", o.New))
	if o.Reason != "" {
		note(ctx, slog.String("reason", o.Reason))
	}
	return nil
}

// unpack returns the body without its compression, which shows in its first bytes
// whatever the headers say. A body that cannot be unpacked is quarantined as it came.
func unpack(body []byte) (plain []byte, reason string) {
	if !bytes.HasPrefix(body, []byte("\x1f\x8b")) {
		return body, ""
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body, "not gzip"
	}
	plain, err = io.ReadAll(io.LimitReader(r, inbox.MaxBody+1))
	switch {
	case len(plain) > inbox.MaxBody:
		return body, tooLarge
	case err != nil:
		return body, "not gzip"
	}
	return plain, ""
}

const tooLarge = "larger than 128 KB"

// read decodes the event, or returns why it is to be quarantined.
func read(body []byte, company int64) (e procore.Event, reason string) {
	if len(body) > inbox.MaxBody {
		return e, tooLarge
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

func note(ctx context.Context, attrs ...slog.Attr) { gateway.Note(ctx, attrs...) }

func outcome(word string) slog.Attr { return slog.String("outcome", word) }

func companyID(id int64) slog.Attr { return slog.Int64("company_id", id) }

func claimed(header string) slog.Attr {
	return slog.Int64("claimed_company_id", credential.Claimed(header))
}
