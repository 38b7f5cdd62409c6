package handler

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// denial is why a redemption is refused. Status, reason and message are the host's, the cause is for the log.
type denial struct {
	status  int
	reason  string // one of link's Error constants
	message string
	cause   error
}

func (e *denial) Error() string { return e.reason }
func (e *denial) Unwrap() error { return e.cause }

// redeem answers the host application's server: it exchanges the code that a browser brought back, and the verifier of
// that browser's session at the host, for what became of the link. If a company was connected, only this puts the
// reference on the connection.
func (h *handler) redeem(w http.ResponseWriter, r *http.Request) {
	if !h.links.On() {
		h.answer(w, r, link.Result{}, &denial{status: http.StatusNotFound, reason: link.ErrorOff, message: "RETURN_URLS is empty: this deployment takes no links."})
		return
	}
	s, err := h.redeemed(w, r)
	if err != nil {
		h.answer(w, r, link.Result{}, err)
		return
	}
	result, err := h.takeEffect(r.Context(), s)
	h.answer(w, r, result, err)
}

// redeemed authenticates the host, and returns the session that its code and verifier belong to.
func (h *handler) redeemed(w http.ResponseWriter, r *http.Request) (session.Session, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	_, err := keys.Use(r.Context(), h.links.Keys, func(k *link.Keys) (bool, error) {
		return ok, k.VerifyRedemption(token, h.sessions.Clock.Now())
	})
	if errors.Is(err, link.ErrInvalid) || errors.Is(err, link.ErrExpired) {
		return session.Session{}, &denial{http.StatusUnauthorized, link.ErrorUnauthorized, "Sign a bearer token with a key of the secret of links.", err}
	}
	if err != nil {
		return session.Session{}, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return session.Session{}, &denial{http.StatusBadRequest, link.ErrorUnknown, "Send a form with code and verifier.", err}
	}
	verifier := procore.NewSecret(r.PostForm.Get(link.FieldVerifier))
	s, err := h.sessions.Linked(r.Context(), link.Challenge(verifier), procore.NewSecret(r.PostForm.Get(link.FieldCode)))
	if errors.Is(err, session.ErrUnknown) {
		return s, &denial{http.StatusNotFound, link.ErrorUnknown, "There is no such code for this verifier, or it has expired. Make another link.", err}
	}
	return s, err
}

// takeEffect uses up the code, and puts the reference on the connection if there is one. A code that was used before, as
// after a lost answer, is an error with the result once more.
func (h *handler) takeEffect(ctx context.Context, s session.Session) (link.Result, error) {
	result := link.Result{Outcome: s.Outcome(), Reference: s.Link.Reference, Tenant: s.Link.Tenant}
	if result.Outcome != link.Connected {
		result.CompanyID, result.CompanyName, result.Reason = s.Refusal.CompanyID, s.Refusal.CompanyName, s.Refusal.Reason
		err := usedBefore(s)
		if err == nil {
			err = h.sessions.Redeem(ctx, s)
		}
		return result, used(err)
	}
	key := connections.Key{CompanyID: s.CompanyID, Principal: s.Principal}
	gateway.Note(ctx, slog.Any("", key))
	c, err := h.connections.Connection(ctx, key)
	if errors.Is(err, connections.ErrNotFound) || err == nil && c.Origin != s.Flow {
		return result, overtaken(err)
	}
	if err != nil {
		return result, err
	}
	result.CompanyID, result.CompanyName, result.UserName = c.CompanyID, c.CompanyName, c.UserName
	result.UserID, _ = c.Principal.UserID()
	if err := usedBefore(s); err != nil {
		return result, used(err)
	}
	_, err = h.connections.SetReference(ctx, c, s.Link.Reference, h.sessions.Redemption(s))
	for _, gone := range []error{connections.ErrMadeAgain, connections.ErrDisconnected, connections.ErrEnded, connections.ErrNotFound} {
		if errors.Is(err, gone) {
			return result, overtaken(err)
		}
	}
	return result, used(err)
}

func overtaken(cause error) error {
	return &denial{http.StatusConflict, link.ErrorOver, "The connection has ended, or was made again, since the browser came back. Make another link.", cause}
}

func usedBefore(s session.Session) error {
	if s.Redeemed {
		return session.ErrUsed
	}
	return nil
}

// used returns the refusal of a code that was redeemed before, or another error as it is.
func used(err error) error {
	if errors.Is(err, session.ErrUsed) || errors.Is(err, tokens.ErrUsed) {
		return &denial{http.StatusConflict, link.ErrorUsed, "The code was redeemed before.", err}
	}
	return err
}

// answer writes the result, with an error if there is one.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, result link.Result, err error) {
	status := http.StatusOK
	if e, known := errors.AsType[*denial](err); known {
		status, result.Error, result.Message = e.status, e.reason, e.message
		gateway.Note(r.Context(), slog.String("redemption", e.reason))
		err = e.cause
	} else if err != nil {
		status, result = http.StatusServiceUnavailable, link.Result{Error: link.ErrorUnavailable, Message: "Send the same request again."}
		w.Header().Set("Retry-After", "2")
	} else {
		gateway.Note(r.Context(), slog.String("redemption", string(result.Outcome)))
	}
	if err != nil {
		gateway.Note(r.Context(), slog.Any("error", err))
	}
	body, err := json.Marshal(result)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
