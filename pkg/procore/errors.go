package procore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A caller handles each of these answers differently and branches with errors.Is.
// The details are in the [*Error], for errors.AsType.
//
// https://procore.github.io/documentation/error-reference
var (
	// ErrUnauthorized (401): the access token is expired or revoked, or the app is
	// not installed. Take a newer token once. A second 401 right after that means not
	// installed: report it and don't refresh again.
	ErrUnauthorized = errors.New("procore: the access token was not accepted")
	// ErrNotConnected (403): the app was disconnected from the company in App
	// Management, or never installed. Stop calling and tell the owner. It is also
	// an ErrForbidden.
	ErrNotConnected = errors.New("procore: the app is not connected to this company")
	// ErrUserInstallsOff (403): only an administrator of the company may install
	// the app, from App Management. Tell the user and wait. Procore does not document
	// the text that marks this answer, so expect such a company as ErrNotConnected or
	// plain ErrForbidden as well. It is also an ErrForbidden.
	ErrUserInstallsOff = errors.New("procore: the company does not let users install apps")
	// ErrForbidden (403): a permission, a tool or a project membership is missing.
	// Report it and don't retry.
	ErrForbidden = errors.New("procore: not permitted")
	// ErrNotFound (404): absent, or not visible to this user. Report it. It is never
	// a reason to refresh a token.
	ErrNotFound = errors.New("procore: not found")
	// ErrInvalid (400, 406, 409, 422): the request is wrong. Report the Error's
	// Message; the same request fails again.
	ErrInvalid = errors.New("procore: the request was refused")
	// ErrRateLimited (429): the error is a [*RateLimitError]. Wait until its Reset.
	ErrRateLimited = errors.New("procore: the rate limit is exhausted")
	// ErrUnavailable (408 and 5xx): Procore has a problem. Try again later, not
	// before the Error's RetryAfter. After a POST, PATCH or DELETE check first
	// whether it was done.
	ErrUnavailable = errors.New("procore: temporarily unavailable")

	// ErrMissingCompanyHeader (400): the call needs the Procore-Company-Id header. Make it
	// with a [CompanyClient]. A service account's list of companies may need it too. It is
	// also an ErrInvalid.
	ErrMissingCompanyHeader = errors.New("procore: the Procore-Company-Id header is missing")

	// errNotInstalled differs in the advice alone. Procore documents no text for a company
	// in which the app is not installed.
	errNotInstalled = errors.New("procore: the app is not installed in this company")

	// errNotInFake differs in the advice alone. Package procoretest, not Procore, lacks the
	// path, and its message is the advice.
	errNotInFake = errors.New("procore: the fake does not have this path")
)

// An Error is an answer outside 2xx, or one that is not Procore's (see Gateway). It contains nothing of the query, the body or
// the Authorization header.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is REST v2's own code, empty in REST v1.
	Code string
	// Message is Procore's own explanation in one line of at most 500 bytes, from
	// message, error or errors of the answer. Without one it is the status text.
	Message string
	// Method and Path are those of the request, without its query.
	Method, Path string
	// CompanyID is the company that the call named, 0 if it named none.
	CompanyID int64
	// RequestID is Procore's X-Request-Id, for a mail to apisupport@procore.com.
	RequestID string
	// Gateway is true for an answer that is not JSON, and for an empty 200 to a GET. It
	// was made on the way to Procore. So with 2xx, 401 or 403 it is [ErrUnavailable], and
	// not Procore's word about a token or a permission.
	Gateway bool
	// RetryAfter is how long Procore asked the client to wait, 0 if it did not ask.
	RetryAfter time.Duration
}

// Error returns the call, the answer, the ids that Procore's support asks for, and
// the advice.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "procore: %s %s: %d: %s", e.Method, e.Path, e.Status, e.Message)
	if e.Code != "" {
		fmt.Fprintf(&b, " (code %s)", e.Code)
	}
	if e.CompanyID != 0 {
		fmt.Fprintf(&b, " (company %d)", e.CompanyID)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	if a := e.Advice(); a != "" {
		b.WriteString("; " + a)
	}
	return b.String()
}

// Advice returns a sentence for the app's operator about what to do. It is empty for
// an answer that Procore does not document.
//
// https://procore.github.io/documentation/error-reference
func (e *Error) Advice() string {
	for _, a := range []struct {
		kind   error
		advice string
	}{
		{ErrMissingCompanyHeader, "call it with a CompanyClient"},
		{ErrUnauthorized, "take a newer token once; if that is refused too, the app is not installed"},
		{ErrNotConnected, "stop calling; a company administrator has to connect the app in App Management"},
		{ErrUserInstallsOff, "a company administrator has to install the app in App Management"},
		{errNotInstalled, "a company administrator has to install the app in App Management"},
		{ErrForbidden, "a company administrator has to check the user's permissions and the project's tools"},
		{errNotInFake, ""},
		{ErrNotFound, "it was deleted, or this user may not see it"},
		{ErrInvalid, "correct the request; the same one fails again"},
		{ErrRateLimited, "wait until the limit resets"},
		{ErrUnavailable, "try again later"},
	} {
		if e.Is(a.kind) {
			return a.advice
		}
	}
	return ""
}

// Is reports whether the answer matches one of this package's Err values.
func (e *Error) Is(target error) bool {
	if e.byGateway() {
		return target == ErrUnavailable
	}
	text := strings.ToLower(e.Message)
	switch target {
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrNotConnected:
		return e.Status == http.StatusForbidden && strings.Contains(text, "app is not connected to this company")
	case errNotInstalled:
		return e.Status == http.StatusForbidden && (strings.Contains(text, "not installed") || strings.Contains(text, "user install"))
	case ErrUserInstallsOff:
		return e.Status == http.StatusForbidden && strings.Contains(text, "user install")
	case ErrForbidden:
		return e.Status == http.StatusForbidden
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case errNotInFake:
		return e.Status == http.StatusNotFound && strings.HasPrefix(text, "the fake procore does not have ")
	case ErrInvalid:
		return slices.Contains([]int{400, 406, 409, 422}, e.Status)
	case ErrMissingCompanyHeader:
		return e.Status >= 400 && e.Status < 500 && strings.Contains(text, "missing procore-company-id")
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case ErrUnavailable:
		return e.Status == http.StatusRequestTimeout || e.Status >= 500
	}
	return false
}

// A RateLimitError is the answer 429, or replaces it for a call that was not sent
// because Procore would have refused it; see [WithMaxWait]. Procore has an hourly
// and a 10-second window; the headers report the one that was hit.
//
// https://procore.github.io/documentation/rate-limiting
type RateLimitError struct {
	// Answer is the answer in the usual form. Its RetryAfter reaches Reset.
	Answer *Error
	// Limit is the size of the window in calls, 0 if the answer does not name it.
	Limit int
	// Reset is when the next window begins, zero if the answer does not name it. Call
	// again after it.
	Reset time.Time
}

// Error returns the call, the limit and the time to wait.
func (e *RateLimitError) Error() string {
	return fmt.Sprintf("%v (rate limit %d, wait %v)", e.Answer, e.Limit, e.Answer.RetryAfter)
}

// Unwrap returns the answer, so that errors.Is and errors.AsType see it too.
func (e *RateLimitError) Unwrap() error { return e.Answer }

// CheckResponse returns nil for an answer with status 2xx, and for any other the
// error that a client returns for it, an [*Error] or a [*RateLimitError]. It is for
// a RoundTripper that acts on what an answer means: the body can still be read.
func CheckResponse(resp *http.Response) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	answer := *resp
	answer.Body = io.NopCloser(bytes.NewReader(peek(resp)))
	var c call
	if resp.Request != nil {
		c.method, c.path = resp.Request.Method, resp.Request.URL.Path
	}
	return newError(&answer, c, nil, Clock{}.Now())
}

// peek returns the beginning of a body that remains to be read.
func peek(resp *http.Response) []byte {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	return head
}

// newError turns an answer into an error. No other function does.
func newError(resp *http.Response, c call, company *int64, now time.Time) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // a cut body still has its status
	body = uncompressed(resp.Header, body, maxErrorBody)
	e := &Error{
		Status:     resp.StatusCode,
		RequestID:  oneLine(resp.Header.Get("X-Request-Id"), 100),
		RetryAfter: retryAfter(resp.Header, now),
	}
	e.setCall(c, company)
	e.Code, e.Message = explanation(body, resp.StatusCode)
	if e.Gateway = fromGateway(body) && !refusesToken(resp); e.Gateway {
		e.Message = "not Procore's answer, but a gateway's: " + e.Message
	}
	if e.Status != http.StatusTooManyRequests {
		return e
	}
	rl := &RateLimitError{Answer: e}
	rl.Limit, _ = strconv.Atoi(resp.Header.Get("X-Rate-Limit-Limit"))
	if reset, wait, ok := resetTime(resp.Header, now); ok {
		rl.Reset = time.Unix(reset, 0)
		e.RetryAfter = max(e.RetryAfter, wait)
	}
	return rl
}

// setCall records what was called.
func (e *Error) setCall(c call, company *int64) {
	e.Method, e.Path = c.method, c.path
	if company != nil {
		e.CompanyID = *company
	}
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := h.Get("Retry-After")
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // out of range n is the nearest in it
		return time.Duration(min(max(n, 0), 1<<31)) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
