package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// recorder is the http.ResponseWriter of one request. It keeps what the handler writes.
type recorder struct {
	header http.Header // the one that the handler edits
	sent   http.Header // its copy when the status was written, as net/http sends it
	status int         // zero until then
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

// Header returns the headers to be sent with the status.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader fixes status and headers. A second call does nothing. Informational answers are left out, because one
// Lambda answer is one response.
func (w *recorder) WriteHeader(status int) {
	if w.status != 0 || 100 <= status && status < 200 {
		return
	}
	if status < 100 || status > 999 {
		panic("gateway: status out of range")
	}
	w.status, w.sent = status, w.header.Clone()
}

// Write adds to the body.
func (w *recorder) Write(b []byte) (int, error) {
	w.finish()
	return w.body.Write(b)
}

// finish sets 200, as net/http does, if the handler set no status.
func (w *recorder) finish() { w.WriteHeader(http.StatusOK) }

// refusal returns a fixed text, instead of the handler's answer.
func (a *adapter) refusal(ctx context.Context, status int) *recorder {
	w := newRecorder()
	SetHeaders(w.header, a.https)
	w.header.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s. Request id: %s\n", http.StatusText(status), RequestID(ctx))
	return w
}

// SetHeaders sets the headers that every answer to a browser carries. A page adds what it needs to the policy. https is
// whether browsers reach the application over https.
func SetHeaders(h http.Header, https bool) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	// Callback addresses hold a code and a state. Neither a cache nor the next site may see them.
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	// This is for browsers that do not know frame-ancestors.
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if https {
		// Two years, without subdomains: the host may belong to a domain whose other hosts are not ours.
		h.Set("Strict-Transport-Security", "max-age=63072000")
	}
}

// response returns the answer in payload format 2.0: Set-Cookie in a separate list, several values of one header joined
// by commas (RFC 9110 section 5.3), and bytes that are not UTF-8 text as base64.
func (w *recorder) response(method string) events.APIGatewayV2HTTPResponse {
	out := events.APIGatewayV2HTTPResponse{StatusCode: w.status, Headers: map[string]string{}}
	for name, values := range w.sent {
		name = http.CanonicalHeaderKey(name)
		switch {
		case !validName(name) || len(values) == 0 || hopByHop(name):
		case name == "Set-Cookie":
			for _, v := range values {
				out.Cookies = append(out.Cookies, oneLine(v))
			}
		default:
			out.Headers[name] = oneLine(strings.Join(values, ", "))
		}
	}
	body := w.body.Bytes()
	if len(body) == 0 || w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return out
	}
	text := utf8.Valid(body) && out.Headers["Content-Encoding"] == ""
	if out.Headers["Content-Type"] == "" {
		// API Gateway would set application/json.
		out.Headers["Content-Type"] = defaultType(text)
	}
	switch {
	case method == http.MethodHead:
	case text:
		out.Body = string(body)
	default:
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return out
}

func defaultType(text bool) string {
	if text {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// hopByHop reports whether the header belongs to a connection. API Gateway sets its own.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// validName reports whether name is a token (RFC 9110 section 5.6.2). API Gateway rejects a whole answer for any other
// name.
func validName(name string) bool {
	for _, c := range []byte(name) {
		if !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// oneLine replaces control characters with blanks, as net/http does with line breaks, so that a value cannot start a new
// header.
func oneLine(v string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, v)
}
