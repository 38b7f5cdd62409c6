package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// keep is how long a caller may use a token before it asks again: as long as the store's own clients send calls before
	// they read the connection again.
	keep = 5 * time.Minute
	// checkTime bounds the call that checks a company, with what its client does after a 401.
	checkTime = 12 * time.Second
)

// errUnchecked means that Procore did not answer the call that checks a company.
var errUnchecked = errors.New("whether Procore accepts the token is not known")

// handler answers callers that IAM admits.
type handler struct {
	store *connections.Store
	log   *slog.Logger
}

// handle answers one request. A reason that a caller can act on is an answer. The error is anything else, which is a
// fault of this program or of storage.
func (h *handler) handle(ctx context.Context, in json.RawMessage) (Answer, error) {
	r, err := parse(in)
	if err != nil {
		return h.refuse(ctx, r, err)
	}
	access, err := h.access(ctx, r)
	if err != nil {
		return h.refuse(ctx, r, err)
	}
	h.log.InfoContext(ctx, "access token served", slog.Int64("company_id", r.company), slog.Int64("generation", access.Generation),
		slog.Time("expires_at", access.Expiry))
	now := h.now()
	until := access.Expiry
	if now.Add(keep).Before(until) {
		until = now.Add(keep)
	}
	return Answer{access: access, keepUntil: until, api: h.store.Tokens.Environment.APIURL, company: r.company}, nil
}

// refuse answers with the reason, or returns an error that has none.
func (h *handler) refuse(ctx context.Context, r request, err error) (Answer, error) {
	f, ok := explain(err, h.now())
	if !ok {
		h.log.ErrorContext(ctx, "access token not served", slog.Int64("company_id", r.company), slog.Any("error", err))
		return Answer{}, err
	}
	h.log.InfoContext(ctx, "access token not served", slog.Int64("company_id", r.company), slog.String("reason", f.Reason), slog.Any("error", err))
	return Answer{failure: &f}, nil
}

func (h *handler) now() time.Time { return h.store.Tokens.Clock.Now() }

// access returns the access token of the connection that serves the company, or of the next one if that turns out to be
// unusable.
func (h *handler) access(ctx context.Context, r request) (tokens.Access, error) {
	var last error
	for tried := map[connections.Key]bool{}; ; {
		c, err := h.store.ForCompany(ctx, r.company)
		if err != nil {
			return tokens.Access{}, err
		}
		if tried[c.Key] {
			return tokens.Access{}, last
		}
		tried[c.Key] = true
		access, err := h.of(ctx, c.Key, r.rejected)
		if err == nil || !unusable(err) {
			return access, err
		}
		last = err
	}
}

// of returns the access token of a connection. After a rejection it makes a call of its own first: its client acts on
// Procore's answer as it does on any other, and so neither a refresh nor a pause rests on what a caller claims.
func (h *handler) of(ctx context.Context, k connections.Key, rejected bool) (tokens.Access, error) {
	if rejected {
		if err := h.check(ctx, k); err != nil {
			return tokens.Access{}, err
		}
	}
	return h.store.Access(ctx, k)
}

// check makes one call into the company. Answers that concern what was asked for, and not the connection, are well.
func (h *handler) check(ctx context.Context, k connections.Key) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	err := h.store.Client(k, procore.WithAttempts(1), procore.WithMaxWait(0)).Enter(ctx)
	switch {
	case err == nil, unusable(err), errors.Is(err, procore.ErrRateLimited):
		return err
	case errors.Is(err, procore.ErrForbidden), errors.Is(err, procore.ErrNotFound), errors.Is(err, procore.ErrInvalid):
		return nil
	}
	return fmt.Errorf("%w: %w", errUnchecked, err)
}

// unusable reports whether another connection of the company may have a better answer.
func unusable(err error) bool {
	_, ours := errors.AsType[*connections.Error](err)
	return ours || errors.Is(err, procore.ErrNotConnected) || errors.Is(err, procore.ErrUnauthorized)
}

// Answer is a token or a failure. Its fields keep the token's text out of any print; JSON has it.
type Answer struct {
	access    tokens.Access
	keepUntil time.Time
	api       string
	company   int64
	failure   *failure
}

// MarshalJSON implements json.Marshaler.
func (a Answer) MarshalJSON() ([]byte, error) {
	if a.failure != nil {
		return json.Marshal(struct {
			Error *failure `json:"error"`
		}{a.failure})
	}
	token := a.access.Bearer().Reveal()
	return json.Marshal(struct {
		AccessToken string            `json:"access_token"`
		ExpiresAt   string            `json:"expires_at"`
		KeepUntil   string            `json:"keep_until"`
		APIURL      string            `json:"api_url"`
		Headers     map[string]string `json:"headers"`
	}{
		token, rfc3339(a.access.Expiry), rfc3339(a.keepUntil), a.api,
		map[string]string{"Authorization": "Bearer " + token, "Procore-Company-Id": strconv.FormatInt(a.company, 10)},
	})
}

// rfc3339 writes a time to the second, which is never later than the time.
func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
