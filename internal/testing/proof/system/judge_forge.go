package system

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"

	"procore-connect/pkg/procore"
)

// forge sends some deliveries with the credential of their own company for an event of the
// next one, as who has learned a credential might. The event must not be stored: R6.
func (s *system) forge(ctx context.Context, r *http.Request, body []byte) {
	e, err := procore.DecodeEvent(body)
	if err != nil || !s.Swarm().Has("forged deliveries") || s.Draw("forges", e.ID, 0)%10 > 0 {
		return
	}
	other := strconv.FormatInt(firstCompany+(e.CompanyID-firstCompany+1)%int64(s.Companies), 10)
	if other == strconv.FormatInt(e.CompanyID, 10) {
		return
	}
	body = bytes.ReplaceAll(body, []byte(strconv.FormatInt(e.CompanyID, 10)), []byte(other))
	if wrong, err := procore.DecodeEvent(body); err == nil {
		s.judge.stored.forge(strconv.FormatInt(e.CompanyID, 10), wrong)
	}
	forged := r.Clone(ctx)
	forged.Body, forged.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if answer, err := s.RoundTrip(forged); err == nil {
		_ = answer.Body.Close()
	}
}
