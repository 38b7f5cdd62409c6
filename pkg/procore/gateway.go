package procore

import (
	"encoding/json"
	"net/http"
	"strings"
)

// FromGateway reports whether an answer was made on the way to Procore, as [Error.Gateway]
// does. It is for a RoundTripper too: the body can still be read.
func FromGateway(resp *http.Response) bool {
	return fromGateway(uncompressed(resp.Header, peek(resp), maxErrorBody)) && !refusesToken(resp)
}

// fromGateway reports whether an answer was made on the way to Procore's API, which
// answers in JSON or with nothing. JSON that was cut is the API's.
func fromGateway(body []byte) bool {
	return len(plainText(body)) > 0 && !begins(body, "{") && !begins(body, "[") && !json.Valid(plainText(body))
}

// refusesToken reports whether the answer is an API's refusal of a token, whatever its
// body is (RFC 6750 section 3).
func refusesToken(resp *http.Response) bool {
	scheme, _, _ := strings.Cut(strings.TrimSpace(resp.Header.Get("WWW-Authenticate")), " ")
	return resp.StatusCode == http.StatusUnauthorized && strings.EqualFold(scheme, "Bearer")
}

// gatewayError is the error of a 2xx answer that is not Procore's.
func gatewayError(resp *http.Response, c call, company *int64) error {
	e := &Error{Status: resp.StatusCode, Message: "the answer is not JSON, and so not Procore's but a gateway's", Gateway: true,
		RequestID: oneLine(resp.Header.Get("X-Request-Id"), 100)}
	e.setCall(c, company)
	return e
}

// byGateway reports whether the status does not mean what Procore means by it.
func (e *Error) byGateway() bool {
	return e.Gateway && (e.Status/100 == 2 || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}
