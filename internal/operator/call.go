package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	maxAnswer  = 8 << 20 // bytes, as the functions read at most
	maxAddress = 8 << 10 // bytes of a path with its query
	callWithin = 30 * time.Second
)

// Call is one GET into a company.
type Call struct {
	CompanyID int64
	UserID    int64      // whose connection makes it; 0: the one that serves the company
	Path      string     // /rest/v1.0/..., perhaps with a query; {company_id} stands for the company
	Query     url.Values // added to the query of Path
}

// Answer is what Procore answered.
type Answer struct {
	Principal string            `json:"connection"` // whose connection asked
	Status    int               `json:"status"`
	Headers   map[string]string `json:"headers"` // those that Headers lists
	Next      string            `json:"next,omitempty"`
	Cut       bool              `json:"cut,omitempty"` // it is larger than 8 MB
	Body      json.RawMessage   `json:"body"`          // a text if it is not JSON

	Text string `json:"-"` // the body as it came, without what is secret
	Err  error  `json:"-"` // of a status that is no success; it has the advice
}

// Headers are those of an answer that are shown: the request's id, for Procore's support, and the rate limit.
func Headers() []string {
	return []string{"Content-Type", "Date", "Retry-After", "Total", "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", "X-Request-Id"}
}

// CallPathError is a path that is not one of Procore's API, or not only a path.
type CallPathError struct{ Problem string }

func (e *CallPathError) Error() string { return e.Problem }

// Address returns the path and the query that are asked for. Its error is a [*CallPathError]. The host is never the caller's
// to choose: the token is for that of the environment alone.
func (c Call) Address() (*url.URL, error) {
	wrong := func(format string, args ...any) (*url.URL, error) {
		return nil, &CallPathError{fmt.Sprintf(format, args...)}
	}
	text := strings.ReplaceAll(c.Path, "{company_id}", strconv.FormatInt(c.CompanyID, 10))
	u, err := url.Parse(text)
	switch {
	case len(text) > maxAddress || err != nil:
		return wrong("the path is not one: at most %d bytes, and %% is written as %%25", maxAddress)
	case u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || u.Fragment != "":
		return wrong("only a path is called, without scheme and host, such as /rest/v1.0/me: a token is sent to the API of the stack's environment alone")
	case strings.HasPrefix(u.Path, "/vapid/"):
		return wrong("Procore has retired its API Vapid; the path is now %s", "/rest/v1.0/"+strings.TrimPrefix(u.Path, "/vapid/"))
	case strings.ContainsAny(u.Path, "{}"):
		return wrong("%s has a name in braces to replace; only {company_id} is replaced for you", u.Path)
	}
	p := "/" + strings.Trim(u.Path, "/")
	if path.Clean(p) != p {
		return wrong("%s has an empty part, or one of dots", u.Path)
	}
	if version.MatchString(p + "/") {
		p = "/rest" + p
	}
	if !version.MatchString(strings.TrimPrefix(p, "/rest") + "/") {
		p = "/rest/v1.0/" + strings.TrimPrefix(strings.TrimPrefix(p, "/rest"), "/")
	}
	if p != u.Path {
		return wrong("%q is not a path of Procore's API; it would be %s, in the version that Procore's reference names", u.Path, p)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wrong("the query after ? is not one: name=value&name=value")
	}
	for name, values := range c.Query {
		for _, v := range values {
			q.Add(name, strings.ReplaceAll(v, "{company_id}", strconv.FormatInt(c.CompanyID, 10)))
		}
	}
	return &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: q.Encode()}, nil
}

// version is what follows /rest in a path.
var version = regexp.MustCompile(`^/v[0-9]{1,2}\.[0-9]{1,2}/`)

// Call makes the call. It counts as no use of the grant, and is made as any other one of the connection: a token that has
// expired is refreshed first, and a company that refuses is paused or disconnected. Call it by [Operator.Finish].
func (o *Operator) Call(ctx context.Context, c Call) (*Answer, error) {
	address, err := c.Address()
	if err != nil {
		return nil, err
	}
	key, err := o.caller(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%w; procore-connect why %d says who has to do what", err, c.CompanyID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Connections.Tokens.Environment.APIURL+address.String(), http.NoBody)
	if err != nil {
		return nil, &CallPathError{"the path cannot be sent"}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "procore-connect")
	req.Header.Set("Procore-Company-Id", strconv.FormatInt(c.CompanyID, 10))
	client := &http.Client{
		Transport: o.Connections.BackgroundTransport(key), Timeout: callWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it is the answer
	}
	resp, err := client.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok { // it would repeat the query
		err = e.Err
	}
	if err != nil {
		return nil, fmt.Errorf("company %d: %w", c.CompanyID, err)
	}
	defer resp.Body.Close()
	return answer(key, resp)
}

// caller returns the connection that makes a call.
func (o *Operator) caller(ctx context.Context, c Call) (connections.Key, error) {
	if c.UserID != 0 {
		one, err := o.Connections.Connection(ctx, connections.Key{CompanyID: c.CompanyID, Principal: tokens.User(c.UserID)})
		return one.Key, err
	}
	one, err := o.Connections.ForCompany(ctx, c.CompanyID)
	return one.Key, err
}

// secretFields are members of an answer that are never shown, such as a hook's destination_headers.
var secretFields = regexp.MustCompile(`(?i)("(?:authorization|access_token|refresh_token|client_secret)"\s*:\s*)"(?:[^"\\]|\\.)*"`)

func answer(key connections.Key, resp *http.Response) (*Answer, error) {
	failed := procore.CheckResponse(resp)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("the answer, status %d, broke off: %w", resp.StatusCode, err)
	}
	a := &Answer{Principal: string(key.Principal), Status: resp.StatusCode, Headers: map[string]string{}, Err: failed, Next: next(resp)}
	if a.Cut = len(body) > maxAnswer; a.Cut {
		body = body[:maxAnswer]
	}
	body = secretFields.ReplaceAll(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), []byte(`$1"(hidden)"`))
	a.Text = string(body)
	if a.Body = body; len(body) == 0 || !json.Valid(body) {
		a.Body, _ = json.Marshal(a.Text) // a text can be
	}
	for _, name := range Headers() {
		if v := resp.Header.Get(name); v != "" {
			a.Headers[name] = v[:min(len(v), 200)]
		}
	}
	return a, nil
}

// next returns the path and query of the next page, as the header Link names it, or "". Its host is of no use to the caller.
//
// https://procore.github.io/documentation/pagination
func next(resp *http.Response) string {
	for link := range strings.SplitSeq(resp.Header.Get("Link"), ",") {
		target, rel, _ := strings.Cut(link, ">")
		if !strings.Contains(strings.ReplaceAll(rel, " ", ""), `rel="next"`) {
			continue
		}
		u, err := url.Parse(strings.TrimPrefix(strings.TrimSpace(target), "<"))
		if err != nil || len(u.RequestURI()) > maxAddress || !strings.HasPrefix(u.Path, "/rest/") {
			return ""
		}
		return u.RequestURI()
	}
	return ""
}
